"""Latents as inputs of the recognizer: z1, and z1 with mu2 beside it, written once per domain."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from fhvae.device import choose_device
from fhvae.files.packed import FRAMES, PackedWriter, read_packed
from fhvae.inference import infer_groups
from fhvae.model.weights import TrainedModel, read_model
from fhvae.parallel import map_in_order
from fhvae.params.recognition import RecognizerParams
from fhvae.progress import progress_bar
from fhvae.recognition.inputs import (
    Input,
    MakeRows,
    all_dimensions,
    extend,
    first_dimensions,
)
from fhvae.recognition.matrix import CLEAN, FramePaths, Matrix

CHUNK_UTTERANCES = 32  # per call of a worker, which reads the model again


@dataclass(frozen=True)
class Models:
    """Folders of the trained model, and of one with the same initial weights and no step."""

    trained: Path
    untrained: Path

    def users(self, inputs: Sequence[str]) -> dict[Path, list[str]]:
        """Name the inputs that each model is needed for."""
        users: dict[Path, list[str]] = {}
        for name in inputs:
            model = self.untrained if name == "untrained" else self.trained
            users.setdefault(model, []).append(name)
        return users


@dataclass(frozen=True)
class Chunk:
    """A few utterances of one packed file, for one worker."""

    model: Path
    stem: Path
    positions: tuple[int, ...]
    shift: int


def latent_rows(
    trained: TrainedModel, utterances: Iterable[tuple[str, np.ndarray]], shift: int
) -> Iterator[np.ndarray]:
    """Infer the rows of utterances: the posterior mean of z1, then mu2, repeated.

    Args:
        trained: the model.
        utterances: id and frames `[frame, mel]` each, normalized.
        shift: frames between two rows.

    Yields:
        `[row, z1 + z2]` float32; mu2 is in closed form over the segments of these rows.
    """
    window = trained.segments.frames
    extended = ((name, extend(frames, window, shift)) for name, frames in utterances)
    for found in infer_groups(trained, extended, shift):
        rows = np.concatenate([found.z1_mean, found.mu2[found.segment_utterance]], axis=1)
        yield from np.split(rows, found.offsets[1:])


def infer_chunk(chunk: Chunk) -> list[np.ndarray]:
    """Infer the rows of a few utterances, in a worker process."""
    trained = read_model(chunk.model, choose_device())
    utterances = read_packed(chunk.stem, FRAMES).items(chunk.positions)
    return list(latent_rows(trained, utterances, chunk.shift))


def infer_file(model: Path, stem: Path, shift: int, label: str) -> Iterator[np.ndarray]:
    """Infer the rows of all utterances of a packed file, in packing order.

    A GPU gets them from this process, which fills it; without one, workers share them out.
    """
    packed, device = read_packed(stem, FRAMES), choose_device()
    if device.type == "cpu":
        chunks = [
            Chunk(model, stem, tuple(range(first, len(packed))[:CHUNK_UTTERANCES]), shift)
            for first in range(0, len(packed), CHUNK_UTTERANCES)
        ]
        for rows in map_in_order(infer_chunk, chunks, label, "chunk"):
            yield from rows
    else:
        places = progress_bar(range(len(packed)), label, "utt")
        yield from latent_rows(read_model(model, device), packed.items(places), shift)


def write_latent_rows(
    model: Path, frames: FramePaths, rows: FramePaths, needed: Sequence[tuple[str, str]], shift: int
) -> None:
    """Write the rows of every needed (domain, split).

    Args:
        model: folder of the model.
        frames: normalized frames to read.
        rows: files to write, laid out in the same way.
        needed: pairs (domain, split).
        shift: frames between two rows.
    """
    sizes = read_model(model, torch.device("cpu")).network.params
    for domain, split in needed:
        stem = frames.stem(domain, split)
        names = read_packed(stem, FRAMES).utterance_ids
        found = infer_file(model, stem, shift, f"{model.name} {domain} {split}")
        with PackedWriter(rows.stem(domain, split), "float32", (sizes.z1 + sizes.z2,)) as writer:
            for name, values in zip(names, found, strict=True):
                writer.append(name, values)


def needed_files(matrix: Matrix, with_toplines: bool) -> list[tuple[str, str]]:
    """List the (domain, split) that recognizers read: all of test, and what they learn from."""
    learned = {one.domain: None for one in matrix.train if with_toplines or not one.topline}
    tested = {one.domain: None for one in matrix.test}
    return [(domain, split) for domain in learned for split in ("train", "dev")] + [
        (domain, "test") for domain in tested
    ]


def make_latent_inputs(
    models: Models, frames: FramePaths, scratch: Path, matrix: Matrix, params: RecognizerParams
) -> list[Input]:
    """Infer the rows of all `latent_inputs` and name them as inputs.

    Args:
        models: folders of the trained model and of its untrained twin.
        frames: normalized frames.
        scratch: folder for the rows; the inputs read them there.
        matrix: sides; without any, nothing is inferred.
        params: which inputs, and the shift.
    """
    inputs = []
    for model, users in models.users(params.latent_inputs).items():
        folder = scratch / model.name
        rows = FramePaths(folder / CLEAN, folder / "train_domains", folder / "test_domains")
        needed = needed_files(matrix, not set(users).isdisjoint(params.topline_inputs))
        write_latent_rows(model, frames, rows, needed, params.shift)
        z1 = read_model(model, torch.device("cpu")).network.params.z1
        inputs += [Input(name, rows, _chooser(name, z1)) for name in users]
    return inputs


def _chooser(name: str, z1: int) -> MakeRows:
    return all_dimensions if name == "z1mu2" else partial(first_dimensions, count=z1)
