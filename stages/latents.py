"""Infer latents with the trained model: z1, z2 per segment and mu2 per utterance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch

from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import FRAMES, read_packed
from fhvae.inference import count_latents, infer_latents, mu2_by_rule
from fhvae.latents import Latents, write_latents
from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.weights import TrainedModel, read_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams, Mu2Rule
from fhvae.stage import Input, Output, stage
from fhvae.trials import cosine_eer


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    latents: LatentsParams


@stage
def main(corpus: Input, fbank: Input, model: Input, latents: Output, metrics: Output) -> None:
    """Run the stage."""
    params = read_params(Params)
    trained = read_model(model, choose_device(), params.latents.mu2)
    spoken = read_corpus(corpus)
    report: dict[str, dict[str, float | None]] = {}
    with new_folder(latents) as folder:
        for split in spoken.splits:
            packed = read_packed(fbank / split, FRAMES)
            inferred = infer_latents(trained, packed, params.latents.shift, f"latents {split}")
            write_latents(folder / f"{split}.safetensors", inferred)
            report[split] = {**count_latents(inferred)}
            if split == "dev":
                report[split] |= {
                    f"eer_mu2_{rule}": eer_by_rule(rule, inferred, trained, spoken.speaker_of)
                    for rule in get_args(Mu2Rule)
                }
    write_metrics(metrics, report)


def eer_by_rule(
    rule: Mu2Rule, latents: Latents, trained: TrainedModel, speaker_of: Mapping[str, str]
) -> float | None:
    """Compute the EER of mu2 by cosine as if `latents.mu2` were `rule`: dev may choose by it."""
    z2 = DiagonalGaussian(
        torch.from_numpy(latents.z2_mean), torch.from_numpy(latents.z2_log_variance)
    )
    utterance = torch.from_numpy(latents.segment_utterance)
    mu2 = mu2_by_rule(rule, z2, utterance, trained.network.params)
    return cosine_eer(mu2.numpy(), [speaker_of[name] for name in latents.utterance_ids])


if __name__ == "__main__":
    run(main)
