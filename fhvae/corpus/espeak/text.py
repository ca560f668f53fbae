"""The sentences of the embedded corpus: a small grammar of our own.

Two sentences are common to all speakers, which gives parallel data; the rest occur once. The
words of a sentence decide its split, so the texts of train, dev and test are disjoint
whatever the sizes of the corpus.
"""

import hashlib

import numpy as np

from fhvae.corpus.espeak.lexicon import ADJECTIVES, ADVERBIALS, NAMES, NOUNS, VERBS

COMMON = (
    "Our young thief should watch the beige jar of honey by the azure pool.",
    "Joy found nothing there but a thick rug, two chairs, and a hungry pup.",
)
TEMPLATES = (
    "{name} {verb} the {adjective} {noun} {adverbial}.",
    "The {adjective} {noun} {verb} our {noun} {adverbial}.",
    "{adverbial}, {name} {verb} the {noun} and the {adjective} {noun}.",
    "Who {verb} the {adjective} {noun} {adverbial}?",
    "The {noun} of the {adjective} {noun} {verb} {name}.",
    "{name} and {name} {verb} their {adjective} {noun}, not the {noun}.",
)
WORDS = {
    "name": NAMES,
    "adjective": ADJECTIVES,
    "noun": NOUNS,
    "verb": VERBS,
    "adverbial": ADVERBIALS,
}
OWNERS = ("train", "dev", "test", "noise")  # noise: the voices of background babble


def owner(sentence: str) -> str:
    """Tell which part of the corpus may speak a sentence; a property of its words alone."""
    digest = hashlib.sha256(sentence.encode()).digest()
    return OWNERS[digest[0] % len(OWNERS)]


def draw_sentence(part: str, used: set[str], random: np.random.Generator) -> str:
    """Draw a sentence of a part of the corpus that is not among the used ones."""
    while True:
        sentence = _compose(random)
        if owner(sentence) == part and sentence not in used:
            return sentence


def _compose(random: np.random.Generator) -> str:
    """Fill a template; within a sentence no word comes twice."""
    sentence = TEMPLATES[random.integers(len(TEMPLATES))]
    chosen: set[str] = set()
    for kind, words in WORDS.items():
        while f"{{{kind}}}" in sentence:
            word = words[random.integers(len(words))]
            if word not in chosen:
                chosen.add(word)
                sentence = sentence.replace(f"{{{kind}}}", word, 1)
    return sentence[0].upper() + sentence[1:]
