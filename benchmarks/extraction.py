"""Measure latents for every frame (shift 1): one call per utterance against one per segment.

CPU seconds of one thread, in turn within one process; medians of ratios within a round.
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.sizes import sizes
from benchmarks.step import MELS, SEQUENCE_FRAMES, cpu_seconds, medians
from fhvae.environment import describe_machine
from fhvae.files.atomic import write_json
from fhvae.inference import infer_groups
from fhvae.model.network import FHVAE
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.whole import Params

FRAMES_PER_SECOND = 100


def measure(params: Params, rounds: int) -> dict[str, float]:
    """Measure one size of the model; returns medians over rounds."""
    torch.set_num_threads(1)
    network = FHVAE(MELS, params.segments.frames, params.model).eval().requires_grad_(False)
    trained = TrainedModel(network, params.segments, params.fbank)
    frames = torch.randn(SEQUENCE_FRAMES, MELS)
    length = params.segments.frames

    @torch.inference_mode()
    def one_at_a_time() -> None:
        for start in range(SEQUENCE_FRAMES - length + 1):
            posteriors(trained.network, frames[start : start + length, None])

    def whole_utterance() -> None:
        list(infer_groups(trained, [("", frames.numpy())], shift=1))

    one_at_a_time()
    whole_utterance()
    found = []
    for _ in range(rounds):
        slow, fast = cpu_seconds(one_at_a_time, 1), cpu_seconds(whole_utterance, 4)
        found.append(
            {
                "one_at_a_time_to_whole_utterance": slow / fast,
                "seconds_of_speech_per_cpu_second": SEQUENCE_FRAMES / FRAMES_PER_SECOND / fast,
            }
        )
    return medians(found)


def main() -> None:
    """Measure both sizes and write benchmarks/results/extraction.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/extraction.json"))
    options = parser.parse_args()
    report: dict[str, object] = {
        name: measure(params, options.rounds) for name, params in sizes().items()
    }
    report["machine"] = describe_machine()
    print(json.dumps(report, indent=2))
    write_json(options.out, report)


if __name__ == "__main__":
    main()
