"""Measure latents for every frame (shift 1): one call per utterance against one per segment.

CPU seconds of one thread, in turn within one process; medians of ratios within a round.
"""

import argparse
import json
import statistics
from pathlib import Path

import torch

from benchmarks.step import MELS, cpu_seconds
from fhvae.artifacts import write_json
from fhvae.inference import infer_utterances
from fhvae.model.network import FHVAE
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params import Params, load_params

UTTERANCE_FRAMES = 300  # 3 s
FRAMES_PER_SECOND = 100


def measure(params: Params, cells: int, rounds: int) -> dict[str, float]:
    """Measure one size of the model; returns medians over rounds."""
    torch.set_num_threads(1)
    sized = type(params.model)(**{**vars(params.model), "cells": cells})
    network = FHVAE(MELS, sized).eval().requires_grad_(False)
    trained = TrainedModel(network, params.segments, params.fbank)
    frames = torch.randn(UTTERANCE_FRAMES, MELS)
    length = params.segments.frames

    @torch.inference_mode()
    def one_at_a_time() -> None:
        for start in range(UTTERANCE_FRAMES - length + 1):
            posteriors(trained.network, frames[start : start + length, None])

    def whole_utterance() -> None:
        list(infer_utterances(trained, [frames.numpy()], shift=1))

    one_at_a_time()
    whole_utterance()
    ratios, speeds = [], []
    for _ in range(rounds):
        slow, fast = cpu_seconds(one_at_a_time, 1), cpu_seconds(whole_utterance, 4)
        ratios.append(slow / fast)
        speeds.append(UTTERANCE_FRAMES / FRAMES_PER_SECOND / fast)
    return {
        "one_at_a_time_to_whole_utterance": round(statistics.median(ratios), 2),
        "seconds_of_speech_per_cpu_second": round(statistics.median(speeds), 1),
    }


def main() -> None:
    """Measure both profiles and write benchmarks/results/extraction.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/extraction.json"))
    options = parser.parse_args()
    params = load_params()
    report = {
        name: measure(params, cells, options.rounds)
        for name, cells in (("default", params.model.cells), ("paper", 256))
    }
    print(json.dumps(report, indent=2))
    write_json(options.out, report)


if __name__ == "__main__":
    main()
