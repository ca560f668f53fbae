"""Make what the model is compared with: untrained networks, PCA, inputs without their level."""

from dataclasses import dataclass

from fhvae.baselines.level import CONTROLS, change_input
from fhvae.baselines.pca import fit_pca, write_pca
from fhvae.commandline import parse_paths, run
from fhvae.corpus.manifest import SPLITS
from fhvae.device import choose_device
from fhvae.features.normalize import read_normalizer
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import read_packed
from fhvae.inference import infer_latents
from fhvae.latents import write_latents
from fhvae.model.network import new_network
from fhvae.model.weights import NORMALIZER, TrainedModel, read_model, write_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams
from fhvae.params.run import Seeded
from fhvae.seeds import generator


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    latents: LatentsParams


def main() -> None:
    """Run the stage."""
    fbank, model, controls, metrics = parse_paths(__doc__, "fbank", "model", "controls", "metrics")
    params = read_params(Params)
    device = choose_device()
    trained = read_model(model, device)
    normalizer = read_normalizer(model / NORMALIZER)
    frames = {split: read_packed(fbank / split) for split in SPLITS}
    network = new_network(
        trained.network.mels, trained.segments.frames, trained.network.params, params.seed
    ).to(device)
    weights = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    untrained = TrainedModel(network.requires_grad_(False), trained.segments, trained.fbank)
    sizes = trained.segments.frames, params.latents.shift, trained.network.params.z1
    pca = fit_pca(frames["train"], *sizes, generator(params.seed, "pca"))
    with new_folder(controls) as folder:
        write_pca(folder / "pca.safetensors", pca)
        write_model(
            folder / "untrained",
            network.state_dict(),
            network.params,
            trained.segments,
            trained.fbank,
            model / NORMALIZER,
        )
        for split, packed in frames.items():
            latents = infer_latents(untrained, packed, params.latents.shift)
            write_latents(folder / "untrained_latents" / f"{split}.safetensors", latents)
            for control in CONTROLS:
                changed = change_input(packed, normalizer, control)
                latents = infer_latents(trained, changed, params.latents.shift)
                write_latents(folder / control / f"{split}.safetensors", latents)
    write_metrics(metrics, {"pca": {"dimensions": pca.directions.shape[1]}, "weights": weights})


if __name__ == "__main__":
    run(main)
