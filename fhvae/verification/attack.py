"""The open-set speaker attack: how well can somebody who trains for it tell speakers by a code?

A small network in the manner of the x-vector (Snyder et al. 2018) reads the whole sequence of an
utterance's codes and learns to name the *train* speakers; cosines of its embeddings then compare
utterances of *test* speakers, whom it never heard. An EER of 0.5 means that the code hides them.
The best attacker on dev counts: over learning rates, seeds and moments of the training.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import nn

from fhvae.artifacts import Packed
from fhvae.intervals import Interval, percentile_interval
from fhvae.parallel import map_in_order
from fhvae.params.attack import AttackParams
from fhvae.seeds import generator, stream_seed
from fhvae.trials.cosine import Vectors, cosine_scores
from fhvae.trials.error_rates import equal_error_rate, error_curve, rank_trials
from fhvae.trials.monitor import cosine_eer
from fhvae.trials.pairs import Trials
from fhvae.verification.attack_network import AttackNetwork, Padded, Scale, embed_all, pad
from fhvae.verification.crossing import resample_eer
from fhvae.verification.intervals import SpeakerDraws

CHANCE = 0.5
INPUT_NOISE = 0.5  # standard deviations of the codes, against learning utterances by heart
WEIGHT_DECAY = 0.01


@dataclass(frozen=True)
class Labelled:
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

    train: Labelled
    dev: Labelled
    test: Packed

    @property
    def parts(self) -> tuple[Packed, Packed, Packed]:
        """The codes of train, dev and test."""
        return self.train.codes, self.dev.codes, self.test


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
    """What an attacker reached at its best moment on dev.

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


@dataclass(frozen=True)
class Look:
    """The EER on dev at one moment, and the embeddings of test, `[utterance, embedding]`."""

    dev_eer: float
    test: np.ndarray


def train_attacker(
    data: AttackData, attacker: Attacker, params: AttackParams, seed: int
) -> Outcome | None:
    """Train one attacker on train speakers; keep its embeddings of test at the best look at dev.

    Args:
        data: codes of one kind.
        attacker: learning rate and repeat.
        params: section `attack`.
        seed: of the run.

    Returns:
        None where dev has no answer: no two utterances of one speaker, or embeddings that
        are not finite.
    """
    torch.set_num_threads(1)  # sums in another order would move every embedding
    names, labels = np.unique(data.train.speakers, return_inverse=True)
    targets = torch.from_numpy(labels)
    scale = Scale.of(data.train.codes)
    network = _new_network(data.train.codes.rows.shape[1], len(names), attacker, params, seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), attacker.learning_rate, weight_decay=WEIGHT_DECAY
    )
    noise = torch.Generator().manual_seed(stream_seed(seed, "attack", "noise", attacker.repeat))
    watched = [_batches(part, params.batch, scale) for part in data.parts]
    order = _endless_order(len(labels), generator(seed, "attack", "order", attacker.repeat))
    best: Outcome | None = None
    for step in range(1, params.steps + 1):
        chosen = list(islice(order, params.batch))
        batch = pad(data.train.codes, chosen, scale)
        wobble = torch.randn(batch.codes.shape, generator=noise) * batch.present[:, None]
        logits = network(batch.codes + INPUT_NOISE * wobble, batch.present)
        loss = nn.functional.cross_entropy(logits, targets[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % (params.steps // params.looks) == 0:
            look = _look(network, watched, data.dev.speakers)
            if look is not None and (best is None or look.dev_eer < best.dev_eer):
                best = Outcome(attacker, look.dev_eer, step, look.test)
    return best


def _new_network(
    dimension: int, speakers: int, attacker: Attacker, params: AttackParams, seed: int
) -> AttackNetwork:
    """Draw the weights that an attacker starts from, without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "attack", "weights", attacker.repeat))
        return AttackNetwork(dimension, params.channels, params.embedding, speakers)


def _endless_order(count: int, random: np.random.Generator) -> Iterator[int]:
    """Walk over all utterances in a new order each time, without end."""
    while True:
        yield from random.permutation(count).tolist()


def _batches(codes: Packed, size: int, scale: Scale) -> list[Padded]:
    places = range(len(codes))
    return [pad(codes, places[first : first + size], scale) for first in places[::size]]


def _look(
    network: AttackNetwork, watched: Sequence[Sequence[Padded]], dev_speakers: Sequence[str]
) -> Look | None:
    """Embed train, dev and test; None where dev has no answer."""
    of_train, of_dev, of_test = (embed_all(network, batches) for batches in watched)
    centre = of_train.mean(axis=0)
    error = cosine_eer(of_dev - centre, dev_speakers)
    return None if error is None else Look(error, of_test - centre)


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
    jobs = [(one, attacker) for one in data.values() for attacker in attackers]
    found = list(map_in_order(partial(_job, params, seed), jobs, "attack", "attacker"))
    size = len(attackers)
    return {
        name: best_outcome(found[place * size : (place + 1) * size])
        for place, name in enumerate(data)
    }


def _job(params: AttackParams, seed: int, job: tuple[AttackData, Attacker]) -> Outcome | None:
    data, attacker = job
    return train_attacker(data, attacker, params, seed)


def best_outcome(outcomes: Sequence[Outcome | None]) -> Outcome | None:
    """Take the outcome of the lowest EER on dev; of equals, the first."""
    known = [outcome for outcome in outcomes if outcome is not None]
    return min(known, key=lambda outcome: outcome.dev_eer, default=None)


def open_set_eer(outcome: Outcome, trials: Trials, draws: SpeakerDraws) -> Interval:
    """Compute the EER of the attack on test speakers, with its interval over them.

    Args:
        outcome: of the attacker that counts.
        trials: pairs of test utterances.
        draws: of `draw_speakers` for these trials.
    """
    scores = cosine_scores(Vectors(trials.utterance_ids, outcome.test), trials)
    ranked = rank_trials(scores, trials.is_target)
    value = float(equal_error_rate(error_curve(ranked)))
    return percentile_interval(value, resample_eer(trials, ranked, draws.counts))
