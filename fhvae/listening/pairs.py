"""Who is converted into whom, and how a mean over pairs is bounded by speakers.

A speaker stands in several pairs, as source and as target; pairs that share one are not
independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.errors import ListeningError
from fhvae.intervals import Interval, t_interval

TRIES = 10_000  # a guard: of 24 speakers one permutation in about 15 will do
# By the number of speakers, modulo 4: how far twice the pairs of one sex are from it at the least.
# Pairs of two sexes come by twos, a man into a woman and a woman into a man.
REACHED = (0, 1, 2, 1)


@dataclass(frozen=True)
class Pair:
    """A conversion: whose words, and into whose voice."""

    source: str
    target: str


def draw_pairs(sexes: Mapping[str, str], rounds: int, random: np.random.Generator) -> list[Pair]:
    """Draw pairs of speakers: in each round everybody is once source and once target.

    Half of a round's pairs are of one sex, or as near to half as the speakers allow; no pair
    comes twice.

    Args:
        sexes: by speaker.
        rounds: how many.
        random: where the draws come from.

    Raises:
        ListeningError: so many rounds were not found.
    """
    speakers = sorted(sexes)
    drawn: list[Pair] = []
    for _ in range(rounds):
        drawn += _draw_round(speakers, sexes, set(drawn), random)
    return drawn


def _draw_round(
    speakers: Sequence[str],
    sexes: Mapping[str, str],
    taken: set[Pair],
    random: np.random.Generator,
) -> list[Pair]:
    nearest: list[Pair] = []
    least = len(speakers) + 1
    for _ in range(TRIES):
        targets = [speakers[position] for position in random.permutation(len(speakers))]
        found = [Pair(*both) for both in zip(speakers, targets, strict=True)]
        alike = sum(sexes[pair.source] == sexes[pair.target] for pair in found)
        away = abs(2 * alike - len(found))
        if away < least and all(one.source != one.target and one not in taken for one in found):
            nearest, least = found, away
            if least <= REACHED[len(found) % 4]:
                break
    if not nearest:
        raise ListeningError(
            f"each round of pairs must be a new one, of {len(speakers)} test speakers there are no "
            "more; lower listening.rounds"
        )
    return nearest


def mean_over_pairs(
    pairs: Sequence[Pair], values: np.ndarray, weights: np.ndarray | None = None
) -> Interval:
    """Average over pairs, with an interval over speakers.

    The jackknife leaves out a speaker with all pairs he stands in, as source or as target. As each
    pair belongs to two speakers, what is peculiar to a pair counts twice: the interval is wide
    rather than narrow.

    Args:
        pairs: of each value; a pair may come several times.
        values: `[value]`, numerators where there are weights.
        weights: `[value]`, denominators, such as phones; without them each value counts once.
    """
    denominators = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    speakers = sorted({name for pair in pairs for name in (pair.source, pair.target)})
    inside = np.array(
        [[name in (pair.source, pair.target) for pair in pairs] for name in speakers], dtype=float
    )
    value = float(values.sum() / denominators.sum())
    others = denominators.sum() - inside @ denominators
    if not (others > 0).all():
        return Interval(value)
    return t_interval(value, (values.sum() - inside @ values) / others)
