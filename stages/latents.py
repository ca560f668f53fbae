"""Infer latents with the trained model: z1, z2 per segment and mu2 per utterance."""

from dataclasses import dataclass

from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import read_packed
from fhvae.inference import count_latents, infer_latents
from fhvae.latents import write_latents
from fhvae.model.weights import read_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    latents: LatentsParams


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, model, latents_path, metrics = parse_paths(
        __doc__, "corpus", "fbank", "model", "latents", "metrics"
    )
    params = read_params(Params)
    trained = read_model(model, choose_device())
    report = {}
    with new_folder(latents_path) as folder:
        for split in read_corpus(corpus_path).splits:
            packed = read_packed(fbank / split)
            latents = infer_latents(trained, packed, params.latents.shift, f"latents {split}")
            write_latents(folder / f"{split}.safetensors", latents)
            report[split] = count_latents(latents)
    write_metrics(metrics, report)


if __name__ == "__main__":
    run(main)
