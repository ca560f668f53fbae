"""Ask the trained model for latents of inputs without mean, level or pauses, or of pauses alone."""

from dataclasses import dataclass

from fhvae.baselines.controls import CONTROLS, Meaning, change_input
from fhvae.commandline import run
from fhvae.corpus.manifest import SPLITS
from fhvae.device import choose_device
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import FRAMES, read_packed
from fhvae.inference import count_latents, infer_latents
from fhvae.latents import write_latents
from fhvae.model.weights import read_model
from fhvae.params.asked import read_params
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import IvectorParams
from fhvae.params.latents import LatentsParams
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    fbank: FbankParams
    ivector: IvectorParams
    latents: LatentsParams


@stage
def main(fbank: Input, model: Input, controls: Output, metrics: Output) -> None:
    """Run the stage."""
    params = read_params(Params)
    trained = read_model(model, choose_device(), params.latents.mu2)
    meaning = Meaning(trained.normalizer, params.fbank.power, min(params.ivector.vad_db))
    found: dict[str, dict[str, dict[str, int]]] = {control: {} for control in CONTROLS}
    with new_folder(controls) as folder:
        for split in SPLITS:
            packed = read_packed(fbank / split, FRAMES)
            for control in CONTROLS:
                changed = change_input(packed, meaning, control, trained.segments.frames)
                found[control][split] = {"too_short": len(packed) - len(changed)}
                if len(changed):
                    latents = infer_latents(trained, changed, params.latents.shift)
                    write_latents(folder / control / f"{split}.safetensors", latents)
                    found[control][split] |= count_latents(latents)
    write_metrics(metrics, found)


if __name__ == "__main__":
    run(main)
