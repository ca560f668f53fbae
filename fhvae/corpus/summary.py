"""What a corpus holds, counted split by split: speech, and the sample rates of its files.

Speech of 8 kHz has nothing above 4 kHz, and brought to 16 kHz it looks like any other. Beside
speech of 16 kHz a model learns to tell the rates apart, and where they go with speakers an error
rate is better than it should be.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fhvae.corpus.manifest import SAMPLE_RATE_HZ, Recording, Refused, Utterance
from fhvae.corpus.store import Corpus

SECONDS_PER_HOUR = 3600.0  # unit of the metrics is the hour

log = logging.getLogger(__name__)

Rates = Counter[tuple[str, int]]  # (split, Hz) -> recordings


def summarize(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Count per split: speakers, utterances, hours, phones with times, speakers per gender.

    `transcripts` counts the utterances whose phones are known, with or without times;
    `quarantined` those that were left out, with their reasons in quarantine.csv.
    What the corpus does not say (phones, a gender) is absent, never 0.
    """
    found = {split: _summarize_split(corpus, corpus.split(split)) for split in corpus.splits}
    for split, count in corpus.quarantined.items():
        found[split]["quarantined"] = count
    return found


def _summarize_split(corpus: Corpus, utterances: Sequence[Utterance]) -> dict[str, Any]:
    genders = {utterance.speaker: utterance.gender for utterance in utterances}
    phones = sum(len(corpus.phones.get(item.utterance_id, ())) for item in utterances)
    summary: dict[str, Any] = {
        "speakers": len(genders),
        "utterances": len(utterances),
        "hours": sum(utterance.duration_s for utterance in utterances) / SECONDS_PER_HOUR,
    }
    if phones:
        summary["phones"] = phones
    transcripts = sum(item.utterance_id in corpus.transcripts for item in utterances)
    if transcripts:
        summary["transcripts"] = transcripts
    sessions = {item.session for item in utterances if item.session}
    if sessions:
        summary["sessions"] = len(sessions)
    by_gender = Counter(gender for gender in genders.values() if gender)
    if by_gender:
        summary["genders"] = dict(by_gender)
    return summary


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
