"""Make what needs no trained model: PCA of segments, untrained networks and their latents."""

from dataclasses import dataclass

from fhvae.baselines.pca import fit_pca, write_pca
from fhvae.commandline import parse_paths, run
from fhvae.corpus.manifest import SPLITS
from fhvae.device import choose_device
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import FRAMES, read_packed
from fhvae.inference import infer_latents
from fhvae.latents import write_latents
from fhvae.model.network import new_network
from fhvae.model.weights import NORMALIZER, read_model, write_model
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.fbank import FbankParams
from fhvae.params.latents import LatentsParams
from fhvae.params.model import ModelParams
from fhvae.params.run import Seeded
from fhvae.params.segments import SegmentsParams
from fhvae.seeds import generator


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    fbank: FbankParams
    segments: SegmentsParams
    model: ModelParams
    latents: LatentsParams


def main() -> None:
    """Run the stage."""
    fbank, baselines, metrics = parse_paths(__doc__, "fbank", "baselines", "metrics")
    params = read_params(Params)
    frames = {split: read_packed(fbank / split, FRAMES) for split in SPLITS}
    sizes = params.segments.frames, params.latents.shift, params.model.z1
    pca = fit_pca(frames["train"], *sizes, generator(params.corpus.seed, "pca"))
    network = new_network(params.fbank.mels, params.segments.frames, params.model, params.seed)
    parts = network.state_dict(), params.model, params.segments, params.fbank
    with new_folder(baselines) as folder:
        write_pca(folder / "pca.safetensors", pca)
        write_model(folder / "untrained", *parts, fbank / NORMALIZER)
        untrained = read_model(folder / "untrained", choose_device(), params.latents.mu2)
        for split, packed in frames.items():
            latents = infer_latents(untrained, packed, params.latents.shift)
            write_latents(folder / "untrained_latents" / f"{split}.safetensors", latents)
    weights = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    write_metrics(metrics, {"pca": {"dimensions": pca.directions.shape[1]}, "weights": weights})


if __name__ == "__main__":
    run(main)
