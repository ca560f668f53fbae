"""Where a model comes from, and the card that tells people."""

import html
import re
from dataclasses import dataclass

from fhvae.params.fbank import FbankParams
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams

UNKNOWN = "not recorded"
MARKS = re.compile(r"([\\`*_|\[\]])")  # of Markdown, in a cell of a table


@dataclass(frozen=True)
class Origin:
    """What a model was trained on.

    Attributes:
        corpus: its name, "" where it is not known; so the others.
        alpha: weight of the discriminative objective.
        seed: of weights and batches.
        commit: of the code, filled in when a model is published: a training that is repeated at
            another commit gives the same files.
        licence: of the model.
        data: a sentence on the recordings and their licence.
    """

    corpus: str = ""
    alpha: float | None = None
    seed: int | None = None
    commit: str = ""
    licence: str = ""
    data: str = ""


def card(
    origin: Origin, model: ModelParams, segments: SegmentsParams, fbank: FbankParams, weights: int
) -> str:
    """Write the model card, Markdown with the header that hubs read.

    What a model says of its origin may be a stranger's words: they stay words.
    """
    header = ["---", "library_name: fhvae", "tags: [speech, disentanglement, voice-conversion]"]
    header += (
        [f"license: {re.sub('[^a-z0-9.-]', '-', origin.licence.lower())}"] if origin.licence else []
    )
    length_ms = segments.frames * fbank.hop_ms
    rows = {
        "corpus": origin.corpus or UNKNOWN,
        "data": origin.data or UNKNOWN,
        "licence": origin.licence or UNKNOWN,
        "alpha": UNKNOWN if origin.alpha is None else f"{origin.alpha:g}",
        "seed": UNKNOWN if origin.seed is None else str(origin.seed),
        "commit": origin.commit or UNKNOWN,
        "networks": f"{model.cell}, {model.layers} x {model.cells}, {weights} weights",
        "latents": f"z1 {model.z1}, z2 {model.z2} dimensions",
        "segments": f"{segments.frames} frames, {length_ms:g} ms, every {segments.shift} for mu2",
        "features": f"{fbank.mels} log-mel bands of 16 kHz speech, every {fbank.hop_ms:g} ms",
    }
    lines = [
        *header,
        "---",
        "",
        "# FHVAE: what is said (z1) and who says it (z2, mu2)",
        "",
        "A factorized hierarchical variational autoencoder (Hsu, Zhang, Glass, NIPS 2017), "
        "trained without labels.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_as_words(value)} |" for name, value in rows.items()),
        "",
        "```python",
        "import fhvae",
        "",
        'model = fhvae.load("this/folder")',
        'model.embed("speech.wav")  # mu2: the voice',
        "```",
        "",
    ]
    return "\n".join(lines)


def _as_words(text: str) -> str:
    """Write a text as a cell: one line, without HTML and Markdown."""
    seen = "".join(one if one.isprintable() else " " for one in text)
    return MARKS.sub(r"\\\1", html.escape(" ".join(seen.split()), quote=False))
