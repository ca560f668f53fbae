"""The open-set speaker attack: how well does a network trained for it tell speakers by a code?

A small network in the manner of the x-vector (Snyder et al. 2018) reads the whole sequence of an
utterance's codes and learns to name the *train* speakers; cosines of its embeddings then compare
utterances of *test* speakers, who are new to it. An EER of 0.5 means that the code hides them.
The best attacker on dev counts: over learning rates, seeds and moments of the training.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.intervals import Interval
from fhvae.latents import Latents
from fhvae.parallel import map_in_order
from fhvae.params.attack import AttackParams
from fhvae.seeds import generator, stream_seed
from fhvae.trials import (
    Trials,
    Vectors,
    cosine_eer,
    cosine_scores,
    rank_trials,
)
from fhvae.verification.resampling import eer_interval
from fhvae.verification.vectors import check_same_utterances

CHANCE = 0.5  # EER of scores that say nothing
CONTEXT = 3  # codes that a convolution sees at a time; two of them see five
MIN_STD = 1e-5  # of an input dimension and of a pooled channel


def code_sequences(latents: Latents, untrained: Latents, frames: Packed) -> dict[str, Packed]:
    """Lay out every kind of code that is attacked, by name; one row per segment of one grid.

    Args:
        latents: of the trained model.
        untrained: of the model before its first step.
        frames: normalized, of the same utterances.

    Returns:
        z1: posterior means.
        z1_without_mu1: less their mean over the utterance.
        untrained: z1 of the untrained model.
        fbank: mean of the frames of each segment.

    Raises:
        ArtifactError: the three are not of the same utterances and segments.
    """
    check_same_utterances(latents.utterance_ids, frames.utterance_ids)
    check_same_utterances(untrained.utterance_ids, latents.utterance_ids, ("baselines", "latents"))
    if not np.array_equal(latents.lengths, untrained.lengths):
        raise ArtifactError(
            "latents and baselines must be on one grid of segments, they have "
            f"{latents.lengths.sum()} and {untrained.lengths.sum()} segments; rerun baselines"
        )
    codes = {
        "z1": latents.z1_mean,
        "z1_without_mu1": latents.z1_mean - latents.mu1[latents.segment_utterance],
        "untrained": untrained.z1_mean,
        "fbank": segment_frame_means(latents, frames),
    }
    ids, offsets, lengths = latents.utterance_ids, latents.offsets, latents.lengths
    return {
        name: Packed(np.asarray(rows, np.float32), ids, offsets, lengths)
        for name, rows in codes.items()
    }


def segment_frame_means(latents: Latents, frames: Packed) -> np.ndarray:
    """Average the frames that each segment was inferred from, `[segment, mel]` float32."""
    places = {name: place for place, name in enumerate(frames.utterance_ids)}
    means = np.empty((len(latents.starts), frames.rows.shape[1]), np.float32)
    for utterance_id, segments in latents.slices():
        rows = frames[places[utterance_id]].astype(np.float64)
        sums = np.concatenate([np.zeros((1, rows.shape[1])), rows.cumsum(axis=0)])
        starts = latents.starts[segments]
        totals = sums[starts + latents.segment_frames] - sums[starts]
        means[segments] = totals / latents.segment_frames
    return means


class AttackNetwork(nn.Module):
    """Two convolutions over time, statistics pooling, an embedding, cosines to the speakers."""

    def __init__(self, dimension: int, speakers: int, params: AttackParams) -> None:
        super().__init__()
        channels, embedding = params.channels, params.embedding
        self.cosine_scale = params.cosine_scale
        self.first = nn.Conv1d(dimension, channels, CONTEXT, padding=CONTEXT // 2)
        self.second = nn.Conv1d(channels, channels, CONTEXT, padding=CONTEXT // 2)
        self.embedding = nn.Linear(2 * channels, embedding)
        self.speakers = nn.Parameter(torch.empty(speakers, embedding))
        nn.init.xavier_uniform_(self.speakers)

    def embed(self, codes: Tensor, present: Tensor) -> Tensor:
        """Embed utterances, `[utterance, embedding]`.

        Args:
            codes: `[utterance, dimension, segment]`, zero where there is no segment.
            present: `[utterance, segment]`, 1 where there is one.
        """
        present = present[:, None]
        hidden = torch.relu(self.first(codes)) * present
        hidden = torch.relu(self.second(hidden)) * present
        count = present.sum(dim=2)
        mean = hidden.sum(dim=2) / count
        variance = ((hidden - mean[:, :, None]).square() * present).sum(dim=2) / count
        std = (variance + MIN_STD).sqrt()  # of one segment 0, where a root has no slope
        pooled: Tensor = self.embedding(torch.cat([mean, std], dim=1))
        return pooled

    def forward(self, codes: Tensor, present: Tensor) -> Tensor:
        """Score every train speaker, `[utterance, speaker]` logits."""
        embedded = nn.functional.normalize(self.embed(codes, present))
        return self.cosine_scale * embedded @ nn.functional.normalize(self.speakers).T


@dataclass(frozen=True)
class PaddedCodes:
    """Utterances of unlike length in one array.

    Attributes:
        codes: `[utterance, dimension, segment]`, zero beyond an utterance's end.
        present: `[utterance, segment]`, 1 or 0.
    """

    codes: Tensor
    present: Tensor


def pad_codes(codes: Packed, positions: Sequence[int]) -> PaddedCodes:
    """Lay the codes of some utterances side by side."""
    rows = [codes[position] for position in positions]
    longest = max(len(one) for one in rows)
    padded = np.zeros((len(rows), rows[0].shape[1], longest), np.float32)
    present = np.zeros((len(rows), longest), np.float32)
    for place, one in enumerate(rows):
        padded[place, :, : len(one)] = one.T
        present[place, : len(one)] = 1
    return PaddedCodes(torch.from_numpy(padded), torch.from_numpy(present))


@dataclass(frozen=True)
class LabeledCodes:
    """Sequences of codes and who speaks them.

    Attributes:
        codes: rows `[segment, dimension]`, packed by utterance, utterances sorted by id.
        speakers: of each utterance.
    """

    codes: Packed
    speakers: tuple[str, ...]


@dataclass(frozen=True)
class AttackData:
    """Codes of one kind: train and dev with speakers, test without."""

    train: LabeledCodes
    dev: LabeledCodes
    test: Packed


def standardize(data: AttackData) -> AttackData:
    """Scale all codes by mean and standard deviation of those of train, to float32.

    A dimension that does not vary in train is not blown up.
    """
    rows = np.asarray(data.train.codes.rows, np.float64)
    mean, std = rows.mean(axis=0), np.maximum(rows.std(axis=0), MIN_STD)

    def scaled(codes: Packed) -> Packed:
        return replace(codes, rows=((codes.rows[:] - mean) / std).astype(np.float32))

    train, dev = (replace(one, codes=scaled(one.codes)) for one in (data.train, data.dev))
    return AttackData(train, dev, scaled(data.test))


@dataclass(frozen=True)
class Attacker:
    """How one attacker is trained.

    Attributes:
        learning_rate: of Adam.
        repeat: number of the seed.
    """

    learning_rate: float
    repeat: int


@dataclass(frozen=True)
class Outcome:
    """What an attacker reached at one moment, its best on dev at the end.

    Attributes:
        attacker: how it was trained.
        dev_eer: cosine of embeddings, all pairs of dev.
        steps: taken until then.
        test: `[utterance, embedding]` float64, less the mean of the train embeddings.
    """

    attacker: Attacker
    dev_eer: float
    steps: int
    test: np.ndarray


def train_attacker(
    data: AttackData, attacker: Attacker, params: AttackParams, seed: int
) -> Outcome | None:
    """Train one attacker on train speakers; keep its embeddings of test at the best look at dev.

    Args:
        data: codes of one kind, standardized.
        attacker: learning rate and repeat.
        params: section `attack`.
        seed: of the run.

    Returns:
        None where dev has no answer: no two utterances of one speaker, or embeddings that
        are not finite.
    """
    torch.set_num_threads(1)  # sums in another order would move every embedding
    codes = data.train.codes
    names, labels = np.unique(data.train.speakers, return_inverse=True)
    targets = torch.from_numpy(labels)
    network = _new_network(codes.rows.shape[1], len(names), attacker, params, seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), attacker.learning_rate, weight_decay=params.weight_decay
    )
    noise = torch.Generator().manual_seed(stream_seed(seed, "attack", "noise", attacker.repeat))
    watched = [_batches(part, params.batch) for part in (codes, data.dev.codes, data.test)]
    order = _endless_order(len(labels), generator(seed, "attack", "order", attacker.repeat))
    looks: list[Outcome | None] = []
    for step in range(1, params.steps + 1):
        chosen = list(islice(order, params.batch))
        batch = pad_codes(codes, chosen)
        wobble = torch.randn(batch.codes.shape, generator=noise) * batch.present[:, None]
        logits = network(batch.codes + params.input_noise * wobble, batch.present)
        loss = nn.functional.cross_entropy(logits, targets[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % (params.steps // params.looks) == 0:
            of_train, of_dev, of_test = (_embed(network, batches) for batches in watched)
            center = of_train.mean(axis=0)
            error = cosine_eer(of_dev - center, data.dev.speakers)
            if error is not None:
                looks.append(Outcome(attacker, error, step, of_test - center))
    return best_outcome(looks)


def _new_network(
    dimension: int, speakers: int, attacker: Attacker, params: AttackParams, seed: int
) -> AttackNetwork:
    """Draw the weights that an attacker starts from, without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "attack", "weights", attacker.repeat))
        return AttackNetwork(dimension, speakers, params)


def _endless_order(count: int, random: np.random.Generator) -> Iterator[int]:
    """Walk over all utterances in a new order each time, without end."""
    while True:
        yield from random.permutation(count).tolist()


def _batches(codes: Packed, size: int) -> list[PaddedCodes]:
    places = range(len(codes))
    return [pad_codes(codes, places[first : first + size]) for first in places[::size]]


def _embed(network: AttackNetwork, batches: Sequence[PaddedCodes]) -> np.ndarray:
    """Embed the utterances of several batches, `[utterance, embedding]` float64."""
    with torch.inference_mode():
        parts = [network.embed(batch.codes, batch.present).numpy() for batch in batches]
    return np.concatenate(parts).astype(np.float64)


def best_outcome(outcomes: Sequence[Outcome | None]) -> Outcome | None:
    """Take the outcome of the lowest EER on dev; of equals, the first."""
    known = [outcome for outcome in outcomes if outcome is not None]
    return min(known, key=lambda outcome: outcome.dev_eer, default=None)


def attack_all(
    data: Mapping[str, AttackData], params: AttackParams, repeats: int, seed: int
) -> dict[str, Outcome | None]:
    """Train every attacker on every kind of codes in worker processes; the best on dev counts.

    Args:
        data: codes by name.
        params: section `attack`.
        repeats: attackers of other seeds per learning rate.
        seed: of the run.
    """
    attackers = [
        Attacker(rate, place) for rate in params.learning_rates for place in range(repeats)
    ]
    jobs = [
        (scaled, attacker) for scaled in map(standardize, data.values()) for attacker in attackers
    ]
    found = list(map_in_order(partial(_attack, params, seed), jobs, "attack", "attacker"))
    size = len(attackers)
    return {
        name: best_outcome(found[place * size : (place + 1) * size])
        for place, name in enumerate(data)
    }


def _attack(params: AttackParams, seed: int, job: tuple[AttackData, Attacker]) -> Outcome | None:
    data, attacker = job
    return train_attacker(data, attacker, params, seed)


def open_set_eer(outcome: Outcome, trials: Trials) -> Interval:
    """Compute the EER of the attack on test speakers, with its interval over them.

    Args:
        outcome: of the attacker that counts.
        trials: pairs of test utterances.
    """
    scores = cosine_scores(Vectors(trials.utterance_ids, outcome.test), trials)
    return eer_interval(trials, rank_trials(scores, trials.is_target))
