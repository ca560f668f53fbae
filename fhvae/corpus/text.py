"""What makes two utterances say the same sentence.

Used wherever a sentence must not stand on both sides: lists of trials, halves of the closed set,
the sentence probe, and phone probes on a small corpus that all speakers read.
"""

import re

WORD = re.compile(r"\w+(?:'\w+)*")  # apostrophes inside a word belong to it


def normalize_text(text: str) -> str:
    """Keep the words of a sentence, so that case and punctuation do not tell two apart.

    "" where there is no word: such a text is as unknown as an empty one.
    """
    return " ".join(WORD.findall(text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))
