"""What makes two utterances say the same sentence.

Used wherever a sentence must not stand on both sides: lists of trials, halves of the closed set,
the sentence probe, phones that a probe or a recognizer is asked for, and phone probes on a small
corpus that all speakers read.
"""

import re
from collections.abc import Iterable

from fhvae.corpus.manifest import Utterance

WORD = re.compile(r"\w+(?:'\w+)*")  # apostrophes inside a word belong to it


def normalize_text(text: str) -> str:
    """Keep the words of a sentence, so that case and punctuation do not tell two apart.

    "" where there is no word: such a text is as unknown as an empty one.
    """
    return " ".join(WORD.findall(text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def heard_in_training(utterances: Iterable[Utterance]) -> frozenset[str]:
    """Find the utterances of dev and test whose sentence a train speaker reads, by id.

    What learns phones from train may know such a sentence by heart, so its phones are no
    question. A text that is unknown counts as new.
    """
    items = list(utterances)
    taught = {normalize_text(one.text) for one in items if one.split == "train"} - {""}
    return frozenset(
        one.utterance_id
        for one in items
        if one.split in ("dev", "test") and normalize_text(one.text) in taught
    )
