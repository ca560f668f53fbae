"""Section `corpus`: which recordings, and what is particular to each corpus."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.domain_names import Condition
from fhvae.params.reading import number

SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class EspeakParams:
    """Size and difficulty of the embedded synthetic corpus."""

    train_speakers: int = number(least=2)
    train_utterances: int = number(least=2)
    dev_speakers: int = number(least=2)
    dev_utterances: int = number(least=2)
    test_speakers: int = number(least=2)
    test_utterances: int = number(least=2)
    parallel_speakers: int = number(least=0)
    parallel_utterances: int = number(least=0)
    speaker_scale: float = number(above=0, most=2)
    female_formants: float = number(least=0.86, most=1.3)
    male_formants: float = number(least=0.86, most=1.3)
    female_pitch_hz: float = number(least=40, most=400)
    male_pitch_hz: float = number(least=40, most=400)
    accents: tuple[str, ...]


LibriSpeechPart = Literal[
    "train-clean-100",
    "train-clean-360",
    "train-other-500",
    "dev-clean",
    "dev-other",
    "test-clean",
    "test-other",
    "train-clean-5",
    "dev-clean-2",
]
DRAWN_FROM = {"train-clean-5": "train-clean-100", "dev-clean-2": "dev-clean"}


@dataclass(frozen=True, kw_only=True)
class LibriSpeechParams:
    """Which parts of LibriSpeech make up each split, and where its phones come from."""

    train: tuple[LibriSpeechPart, ...]
    dev: tuple[LibriSpeechPart, ...]
    test: tuple[LibriSpeechPart, ...]
    alignments: str | None
    alignments_sha256: str | None

    def check(self) -> None:
        """Raise ParamsError where a part is missing, or recordings stand in two places."""
        for key in ("train", "dev"):
            if not getattr(self, key):
                raise ParamsError(f"corpus.librispeech.{key} must name a part, got an empty list")
        parts = [*self.train, *self.dev, *self.test]
        for part in parts:
            if parts.count(part) > 1:
                raise ParamsError(
                    "corpus.librispeech.train, dev and test must name each part once, "
                    f"{part} is there {parts.count(part)} times"
                )
        for small, large in DRAWN_FROM.items():
            if small in parts and large in parts:
                raise ParamsError(
                    "corpus.librispeech.train, dev and test must not share recordings, "
                    f"{small} is drawn from {large}; name one of them"
                )
        if self.alignments_sha256 is not None:
            if self.alignments is None:
                raise ParamsError(
                    "corpus.librispeech.alignments must name a file for "
                    "corpus.librispeech.alignments_sha256, got null"
                )
            if not SHA256.fullmatch(self.alignments_sha256):
                raise ParamsError(
                    "corpus.librispeech.alignments_sha256 must be 64 lower-case hexadecimal "
                    f"digits, got {self.alignments_sha256!r}"
                )


@dataclass(frozen=True, kw_only=True)
class Speechocean762Params:
    """Whose recordings of speechocean762 are taken."""

    adults_only: bool
    split: Literal["published", "adults108"]


@dataclass(frozen=True, kw_only=True)
class VctkParams:
    """Which of the two recordings of every VCTK utterance is taken."""

    microphone: Literal["mic1", "mic2"]


@dataclass(frozen=True, kw_only=True)
class SplitParams:
    """Shares of the speakers where a corpus leaves their split open, and the seed of the draw."""

    seed: int = number(least=0, most=math.inf)
    dev_fraction: float = number(above=0, most=0.5)
    test_fraction: float = number(above=0, most=0.5)


@dataclass(frozen=True, kw_only=True)
class CorpusParams(SplitParams):
    """Which recordings, how speakers are split where the corpus does not say, and a seed.

    The seed is of all that is drawn of recordings and speakers, so that of two trainings on one
    corpus nothing differs but the training: speech, splits, noise, trials, rows of probes, draws
    of test speakers.
    """

    name: Literal["espeak", "manifest", "timit", "librispeech", "speechocean762", "vctk"]
    path: str | None
    bad_audio: Literal["refuse", "quarantine"]
    conditions: tuple[Condition, ...]
    espeak: EspeakParams
    librispeech: LibriSpeechParams
    speechocean762: Speechocean762Params
    vctk: VctkParams

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if not self.conditions:
            raise ParamsError("corpus.conditions must list one at least, such as clean, got none")
        if len(set(self.conditions)) < len(self.conditions):
            raise ParamsError(
                f"corpus.conditions must name each once, got {', '.join(self.conditions)}"
            )
        if self.name == "espeak" and self.path is not None:
            raise ParamsError(
                "corpus.path must be empty for corpus.name espeak, which is made and not read, "
                f"got {self.path!r}; name the kind of corpus that is there: corpus.name manifest "
                "or one of the others"
            )
        if self.name in ("manifest", "timit") and self.path is None:
            raise ParamsError(
                f"corpus.path must name a folder for corpus.name {self.name}, got null"
            )
        espeak = self.espeak
        if espeak.parallel_speakers > espeak.test_speakers:
            raise ParamsError(
                "corpus.espeak.parallel_speakers must be at most "
                f"corpus.espeak.test_speakers={espeak.test_speakers}, "
                f"got {espeak.parallel_speakers}"
            )
        if espeak.parallel_utterances > espeak.test_utterances:
            raise ParamsError(
                "corpus.espeak.parallel_utterances must be at most "
                f"corpus.espeak.test_utterances={espeak.test_utterances}, "
                f"got {espeak.parallel_utterances}"
            )
