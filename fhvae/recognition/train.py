"""Train a recognizer by CTC for a fixed number of steps, and let it recognize."""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fhvae.device import choose_device
from fhvae.errors import TrainingError
from fhvae.features.normalize import Normalizer
from fhvae.params.recognition import RecognizerParams
from fhvae.recognition.inputs import Input, RowReader, measure_normalizer
from fhvae.recognition.labels import Labels, count_edits, error_rate
from fhvae.recognition.matrix import TrainSide
from fhvae.recognition.network import BLANK, Drop, Recognizer, dropout
from fhvae.seeds import generator, stream_seed

DECODE_UTTERANCES = 32  # recognized at a time: bounds memory, changes no result


@dataclass(frozen=True)
class Batch:
    """Rows of a few utterances, time first, zeros after the end of the shorter ones.

    Attributes:
        rows: `[row, utterance, dimension]` float32.
        lengths: `[utterance]` int64, in rows.
    """

    rows: Tensor
    lengths: Tensor


def pad_utterances(utterances: Sequence[np.ndarray]) -> Batch:
    """Put utterances, each `[row, dimension]`, side by side."""
    lengths = [len(rows) for rows in utterances]
    padded = np.zeros((max(lengths), len(utterances), utterances[0].shape[1]), np.float32)
    for place, rows in enumerate(utterances):
        padded[: len(rows), place] = rows
    return Batch(torch.from_numpy(padded), torch.tensor(lengths))


def load_batch(reader: RowReader, normalizer: Normalizer, utterance_ids: Sequence[str]) -> Batch:
    """Read, standardize and pad the rows of a few utterances."""
    return pad_utterances(
        [normalizer.apply(reader.rows(utterance_id)) for utterance_id in utterance_ids]
    )


def group_by_length(
    lengths: Mapping[str, int], utterance_ids: Sequence[str], size: int
) -> list[list[str]]:
    """Cut utterances, sorted by length and id, into groups of `size`; the last may be smaller."""
    ordered = sorted(utterance_ids, key=lambda name: (lengths[name], name))
    return [ordered[first : first + size] for first in range(0, len(ordered), size)]


def endless_order(groups: int, random: np.random.Generator) -> Iterator[int]:
    """Give positions of groups without end: each pass takes every group once, in a new order."""
    while True:
        yield from (int(place) for place in random.permutation(groups))


@dataclass(frozen=True)
class Learned:
    """A trained recognizer, as it stood at its best look at dev.

    Attributes:
        network: ready to recognize.
        normalizer: standardizes its rows.
        dev_per: phone error rate on dev at that look.
        step: after how many steps that was.
    """

    network: Recognizer
    normalizer: Normalizer
    dev_per: float
    step: int


@dataclass(frozen=True)
class Attempt:
    """One training run: which layers, which learning rate, which recognizer seed."""

    layers: int
    learning_rate: float
    repeat: int


@dataclass(frozen=True)
class Lessons:
    """What a recognizer learns from: rows, and the labels of utterances by id."""

    reader: RowReader
    normalizer: Normalizer
    taught: Mapping[str, Sequence[int]]

    def groups(self, size: int) -> list[list[str]]:
        """Put utterances of like length together, `size` at a time."""
        lengths = {name: self.reader.length(name) for name in self.taught}
        return group_by_length(lengths, list(self.taught), size)


def rate_share(step: int, params: RecognizerParams) -> float:
    """Scale the learning rate at `step` of 1..steps: a linear rise, then a linear fall."""
    rise = max(1.0, params.warm_up * params.steps)
    if step <= rise:
        return step / rise
    return 1 - (1 - params.last_rate) * (step - rise) / (params.steps - rise)


def look_steps(steps: int, looks: int) -> set[int]:
    """Spread the looks at dev evenly; the last is at the last step."""
    return {steps * look // looks for look in range(1, looks + 1)}


def new_recognizer(dimensions: int, labels: int, layers: int, cells: int, seed: int) -> Recognizer:
    """Make a network whose initial weights depend on the seed alone.

    PyTorch draws them from its global generator, whose state is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return Recognizer(dimensions, labels, layers, cells)


def ctc_loss(scores: Tensor, lengths: Tensor, taught: Sequence[Sequence[int]]) -> Tensor:
    """Compute CTC per phone; on the CPU, as its gradient on CUDA is not repeatable.

    An utterance with fewer rows than CTC needs counts 0 (and is counted in the metrics).

    Args:
        scores: `[row, utterance, label]`, log probabilities.
        lengths: `[utterance]`, in rows.
        taught: labels of each utterance.
    """
    targets = torch.tensor([label for labels in taught for label in labels])
    sizes = torch.tensor([len(labels) for labels in taught])
    loss = nn.CTCLoss(blank=BLANK, zero_infinity=True)
    return loss(scores.cpu(), targets, lengths.cpu(), sizes)  # type: ignore[no-any-return]


def learn(
    source: Input,
    side: TrainSide,
    labels: Labels,
    params: RecognizerParams,
    attempt: Attempt,
    seed: int,
) -> Learned:
    """Train one recognizer; the state kept is that of the lowest error rate on dev.

    Args:
        source: the input.
        side: who teaches; dev utterances of the same kind choose.
        labels: of all utterances.
        params: size and budget.
        attempt: what differs from run to run.
        seed: of the run; initial weights, order of batches and draws of dropout are the same for
            every input.

    Raises:
        TrainingError: the training diverged.
    """
    reader, dev = (source.open(side.domain, split) for split in ("train", "dev"))
    lessons = Lessons(
        reader=reader,
        normalizer=measure_normalizer(reader, side.train_ids),
        taught={name: labels.taught[name] for name in side.train_ids},
    )
    weights_seed = stream_seed(seed, "recognition", "weights", attempt.repeat)
    network = new_recognizer(
        len(lessons.normalizer.mean),
        len(labels.classes) + 1,
        attempt.layers,
        params.cells,
        weights_seed,
    ).to(choose_device())
    random = generator(seed, "recognition", "batches", side.name, attempt.repeat)
    looks, best = look_steps(params.steps, params.looks), None
    drop = dropout(
        params.dropout, generator(seed, "recognition", "dropout", side.name, attempt.repeat)
    )
    for step in take_steps(network, lessons, params, attempt.learning_rate, random, drop):
        if step in looks:
            found = recognize(network, dev, lessons.normalizer, side.dev_ids, labels)
            dev_per = per_of(found, labels)
            if best is None or dev_per < best.dev_per:
                best = Learned(deepcopy(network), lessons.normalizer, dev_per, step)
    if best is None:
        raise ValueError("training must have at least one step and one look at dev")
    return best


def take_steps(
    network: Recognizer,
    lessons: Lessons,
    params: RecognizerParams,
    learning_rate: float,
    random: np.random.Generator,
    drop: Drop,
) -> Iterator[int]:
    """Take all optimizer steps, giving the number of each after it.

    Raises:
        TrainingError: the loss or its gradient is no number any more; a network of such weights
            would say something all the same.
    """
    device = next(network.parameters()).device
    groups = lessons.groups(params.batch)
    order = endless_order(len(groups), random)
    # fused: its root is the processor's own, exact; torch.sqrt is not (docs/portability.md)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    for step in range(1, params.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate_share(step, params)
        names = groups[next(order)]
        batch = load_batch(lessons.reader, lessons.normalizer, names)
        scores = network(batch.rows.to(device), batch.lengths.to(device), drop)
        loss = ctc_loss(scores, batch.lengths, [lessons.taught[name] for name in names])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        length = nn.utils.clip_grad_norm_(network.parameters(), params.gradient_norm)
        if not (math.isfinite(loss.item()) and math.isfinite(length.item())):
            raise TrainingError(
                f"a recognizer diverged: loss {loss.item():g} and gradient "
                f"{length.item():g} at step {step} of {params.steps}; take the rate "
                f"{learning_rate:g} out of recognition.<protocol>.learning_rates, or list a lower "
                "one"
            )
        optimizer.step()
        yield step


def best_path(labels: np.ndarray) -> list[int]:
    """Read the best label per row, `[row]`, as CTC does: repeats merged, then blanks dropped."""
    changed = np.append(True, labels[1:] != labels[:-1])
    return [int(label) for label in labels[changed & (labels != BLANK)]]


@torch.inference_mode()
def recognize(
    network: Recognizer,
    reader: RowReader,
    normalizer: Normalizer,
    utterance_ids: Sequence[str],
    labels: Labels,
) -> dict[str, tuple[str, ...]]:
    """Recognize utterances greedily, without language model: scored classes by utterance id.

    Raises:
        TrainingError: the network gives no number: of nothing the largest would be a phone, too.
    """
    device = next(network.parameters()).device
    lengths = {name: reader.length(name) for name in utterance_ids}
    found = {}
    for names in group_by_length(lengths, utterance_ids, DECODE_UTTERANCES):
        batch = load_batch(reader, normalizer, names)
        scores = network(batch.rows.to(device), batch.lengths.to(device))
        if scores.isnan().any():
            raise TrainingError(
                f"a recognizer must give a number for every phone, of {names[0]} it gives nan; "
                "lower recognition.<protocol>.learning_rates"
            )
        best = scores.argmax(dim=2).cpu().numpy()
        for place, (name, length) in enumerate(zip(names, batch.lengths.tolist(), strict=True)):
            found[name] = labels.decode(best_path(best[:length, place]))
    return found


def per_of(found: Mapping[str, Sequence[str]], labels: Labels) -> float:
    """Compute the phone error rate of recognized utterances."""
    references = [labels.references[name] for name in found]
    return error_rate(references, count_edits(references, list(found.values())))
