"""Sample rates of a corpus's files, counted: brought to 16 kHz they all look alike.

Speech of 8 kHz has nothing above 4 kHz. Beside speech of 16 kHz a model learns to tell the
rates apart, and where they go with speakers an error rate is better than it should be.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from fhvae.corpus.manifest import SAMPLE_RATE_HZ, Recording, Refused

log = logging.getLogger(__name__)

Rates = Counter[tuple[str, int]]  # (split, Hz) -> recordings


def counted(items: Iterable[Recording | Refused], rates: Rates) -> Iterator[Recording | Refused]:
    """Hand recordings on and count the rates of their files."""
    for item in items:
        if isinstance(item, Recording):
            rates[item.utterance.split, item.file_rate_hz] += 1
        yield item


def are_mixed(rates: Rates) -> bool:
    """Tell whether some files have less bandwidth than others, up to the 8 kHz that count."""
    return len({min(rate_hz, SAMPLE_RATE_HZ) for _, rate_hz in rates}) > 1


def warn_of_mixed(rates: Rates) -> None:
    """Say how many files have which rate."""
    totals: Counter[int] = Counter()
    for (_, rate_hz), count in rates.items():
        totals[rate_hz] += count
    said = ", ".join(f"{totals[rate_hz]} of {rate_hz} Hz" for rate_hz in sorted(totals))
    log.warning(
        "recordings of several rates: %s; those below %d Hz have nothing above half their rate, "
        "by which a model tells them apart; bring all to the lowest rate first, or take one",
        said,
        SAMPLE_RATE_HZ,
    )


def by_split(rates: Rates) -> Mapping[str, dict[str, int]]:
    """Lay the counts out for metrics: split, then Hz."""
    found: dict[str, dict[str, int]] = {}
    for (split, rate_hz), count in sorted(rates.items()):
        found.setdefault(split, {})[str(rate_hz)] = count
    return found
