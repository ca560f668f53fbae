"""From the synthesizer's phone onsets to an exact alignment in about 40 phone classes.

`phones.csv` folds the mnemonics of the library's English voices to lower-case ARPAbet; silence
is `sil`. Vowels coloured by a following r join the plain vowel, reduced vowels are `ax` or `ih`.
"""

import csv
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from fhvae.corpus.espeak.synthesizer import RATE_HZ, PhoneOnset
from fhvae.corpus.manifest import Phone
from fhvae.errors import CorpusError

SILENCE = "sil"
STRESS_MARKS = "',%="


@cache
def phone_classes() -> dict[str, str]:
    """Read the table mnemonic -> phone class."""
    text = files(__package__).joinpath("phones.csv").read_text(encoding="utf-8")
    return {row["mnemonic"]: row["phone"] for row in csv.DictReader(text.splitlines())}


def fold(mnemonic: str) -> str:
    """Give the phone class of a mnemonic; stress marks do not matter.

    Raises:
        CorpusError: the table has no such mnemonic.
    """
    try:
        return phone_classes()[mnemonic.lstrip(STRESS_MARKS)]
    except KeyError:
        raise CorpusError(
            f"every mnemonic of espeak-ng must have a row in fhvae/corpus/espeak/phones.csv, "
            f"{mnemonic!r} has none; add it, or choose other corpus.espeak.accents"
        ) from None


def align(onsets: Sequence[PhoneOnset], duration_s: float) -> tuple[Phone, ...]:
    """Lay phones end to end from 0 to `duration_s`.

    A phone ends where the next begins; what precedes the first is silence. Neighbouring
    silences are one. A phone that the synthesizer merged into its neighbour (an l after a
    diphthong) has no time of its own and no row.
    """
    spans: list[tuple[float, str]] = [(0.0, SILENCE)]
    for onset in onsets:
        start_s, phone = round(onset.sample / RATE_HZ, 6), fold(onset.mnemonic)
        if start_s >= duration_s:
            continue
        if spans and spans[-1][0] == start_s:
            spans.pop()
        if not (spans and spans[-1][1] == phone == SILENCE):
            spans.append((start_s, phone))
    ends = [start_s for start_s, _ in spans[1:]] + [duration_s]
    return tuple(
        Phone(start_s, end_s, phone) for (start_s, phone), end_s in zip(spans, ends, strict=True)
    )
