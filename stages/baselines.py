"""Make what needs no trained model: PCA of segments, untrained networks and their latents."""

from dataclasses import dataclass

from fhvae.baselines.pca import PCA_FILE, fit_pca, write_pca
from fhvae.commandline import run
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
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    fbank: FbankParams
    segments: SegmentsParams
    model: ModelParams
    latents: LatentsParams


@stage
def main(
    fbank: Input, pca: Output, untrained: Output, untrained_latents: Output, metrics: Output
) -> None:
    """Run the stage."""
    params = read_params(Params)
    frames = {split: read_packed(fbank / split, FRAMES) for split in SPLITS}
    sizes = params.segments.frames, params.latents.shift, params.model.z1
    fitted = fit_pca(frames["train"], *sizes, generator(params.corpus.seed, "pca"))
    network = new_network(params.fbank.mels, params.segments.frames, params.model, params.seed)
    parts = network.state_dict(), params.model, params.segments, params.fbank
    write_pca(pca / PCA_FILE, fitted)
    write_model(untrained, *parts, fbank / NORMALIZER)
    model = read_model(untrained, choose_device(), params.latents.mu2)
    with new_folder(untrained_latents) as folder:
        for split, packed in frames.items():
            latents = infer_latents(model, packed, params.latents.shift)
            write_latents(folder / f"{split}.safetensors", latents)
    weights = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    write_metrics(metrics, {"pca": {"dimensions": fitted.directions.shape[1]}, "weights": weights})


if __name__ == "__main__":
    run(main)
