"""What the pretrained judges say of changed speech, with whatever of them is installed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fhvae.corpus.text import normalize_text
from fhvae.listening import judges

VOICES = ("voice_resemblyzer", "voice_dvector")
JUDGES = (*VOICES, "naturalness", "phones", "words")
OF_DENOISED = ("naturalness", "phones")  # the voice is to stay, and words are heard too badly
LEAST_LEVEL = 1e-6  # a guard: of silence, which no level can be given

Row = dict[str, float]


@cache
def _judge(name: str) -> Callable[[np.ndarray], Any]:
    """Load a judge once a process."""
    load: Callable[[], Callable[[np.ndarray], Any]] = getattr(judges, name)
    return load()


@dataclass(frozen=True)
class Asked:
    """Of what judges are asked; signals are `[sample]` at 16 kHz with full scale 1.

    Attributes:
        source: what was converted; the clean recording of what was denoised.
        text: what it says, or "".
        own: other utterances of its speaker.
        target: utterances of the target that no conversion heard.
    """

    source: np.ndarray
    text: str
    own: Sequence[np.ndarray]
    target: Sequence[np.ndarray]


def verdicts(
    outputs: Mapping[str, np.ndarray], asked: Asked, names: Sequence[str] = JUDGES
) -> dict[str, Row]:
    """Ask judges that are installed of every output, each brought to the level of the source.

    Args:
        outputs: by method.
        asked: what it is compared with.
        names: of judges.

    Returns:
        By method: `voice_*`, the cosine with the target; `nearer_*`, 1 where that with the source's
        speaker is lower; `naturalness`; `phone_edits` against the `phones` heard in the source;
        `word_edits` against the `words` of the text.
    """
    level = np.sqrt(np.square(asked.source).mean())
    heard = {name: _at_level(signal, level) for name, signal in outputs.items()}
    rows: dict[str, Row] = {name: {} for name in heard}
    for judge in names:
        if judges.why_absent(judge) is None:
            for name, found in _ASK[judge](judge, heard, asked).items():
                rows[name] |= found
    return rows


def _at_level(signal: np.ndarray, level: float) -> np.ndarray:
    own = max(float(np.sqrt(np.square(signal).mean())), LEAST_LEVEL)
    return np.asarray(signal * (level / own), np.float32)


def _ask_voice(judge: str, heard: Mapping[str, np.ndarray], asked: Asked) -> dict[str, Row]:
    voice = _judge(judge)
    target, own = (
        judges.mean_voice([voice(np.asarray(one, np.float32)) for one in part])
        for part in (asked.target, asked.own)
    )
    found = {name: voice(signal) for name, signal in heard.items()}
    nearer = judge.replace("voice", "nearer")
    return {
        name: {judge: float(one @ target), nearer: float(one @ target > one @ own)}
        for name, one in found.items()
    }


def _ask_naturalness(judge: str, heard: Mapping[str, np.ndarray], asked: Asked) -> dict[str, Row]:
    return {name: {judge: float(_judge(judge)(signal))} for name, signal in heard.items()}


def _ask_phones(judge: str, heard: Mapping[str, np.ndarray], asked: Asked) -> dict[str, Row]:
    hear = _judge(judge)
    wanted = hear(np.asarray(asked.source, np.float32))
    edits = {name: judges.edits(wanted, hear(signal)) for name, signal in heard.items()}
    return {
        name: {"phone_edits": float(one), "phones": float(len(wanted))}
        for name, one in edits.items()
    }


def _ask_words(judge: str, heard: Mapping[str, np.ndarray], asked: Asked) -> dict[str, Row]:
    wanted = normalize_text(asked.text).split()
    if not wanted:
        return {}
    edits = {name: judges.edits(wanted, _judge(judge)(signal)) for name, signal in heard.items()}
    return {
        name: {"word_edits": float(one), "words": float(len(wanted))} for name, one in edits.items()
    }


_ASK: Mapping[str, Callable[..., dict[str, Row]]] = {
    **dict.fromkeys(VOICES, _ask_voice),
    "naturalness": _ask_naturalness,
    "phones": _ask_phones,
    "words": _ask_words,
}
