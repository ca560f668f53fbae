"""How much speech a corpus holds, split by split."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fhvae.corpus.manifest import Utterance
from fhvae.corpus.store import Corpus

SECONDS_PER_HOUR = 3600.0  # unit of the metrics is the hour


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
