"""The only contact with espeak-ng: text and a voice in, samples and exact phone times out.

espeak-ng (GPL-3.0-or-later) comes as the package `espeakng-loader` and is called through its C
interface, `speak_lib.h`; nothing of it is copied here (docs/decisions/0002-default-corpus.md).

The library keeps oscillator and noise state between calls, which no call of its interface
resets: the same text twice gives different samples. Therefore each utterance loads the
library, speaks, and unloads it, about 10 ms. An utterance is then a function of its request.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.errors import CorpusError
from fhvae.files.atomic import temporary_folder

RATE_HZ = 22_050  # of the library's built-in voices
MAX_PATH = 195  # bytes; beyond, the library silently falls back to a folder of its own
VARIANT = "speaker"  # name of the request's voice variant inside the temporary data folder
SHARED_DATA = ("phondata", "phonindex", "phontab", "intonations", "en_dict", "lang")

# Values of enumerations and flags in espeak-ng's speak_lib.h.
SYNCHRONOUS = 2
PHONEME_EVENTS, DO_NOT_EXIT = 0x0001, 0x8000  # options of espeak_Initialize
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4  # of espeak_PARAMETER
UTF8 = 1  # espeakCHARS_UTF8
LIST_END, PHONEME = 0, 7  # of espeak_EVENT_TYPE
QUIET_ENOUGH = 70  # volume: at the default 100 a third of the voices clip


class _Label(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_void_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("label", _Label),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class SpeechRequest:
    """Everything that decides the samples of one utterance.

    Attributes:
        text: English sentence.
        accent: voice file below the library's `lang`, such as "gmw/en-US".
        variant: lines of a voice variant file; "" for the plain voice.
        rate_wpm: words per minute.
        pitch, pitch_range: 0 to 99, 50 is the voice's own.
        seed: of the library's noise source.
    """

    text: str
    accent: str
    variant: str = ""
    rate_wpm: int = 165
    pitch: int = 50
    pitch_range: int = 50
    seed: int = 1


@dataclass(frozen=True)
class PhoneOnset:
    """Where a phone begins, in samples, and the library's name for it."""

    sample: int
    mnemonic: str


@dataclass(frozen=True)
class Speech:
    """Samples `[sample]` int16 at `RATE_HZ`, and phones in time order."""

    samples: np.ndarray
    onsets: tuple[PhoneOnset, ...]


def synthesize(request: SpeechRequest) -> Speech:
    """Speak one sentence; equal requests give equal samples, whatever was spoken before.

    Raises:
        CorpusError: espeakng-loader is not installed, the accent is unknown, the path of the
            temporary folder is too long, or the library cannot be loaded again.
    """
    with _data_folder(request) as folder, _fresh_library() as library:
        return _speak(library, folder, request)


def _installed() -> tuple[Path, Path]:
    """Find the library file and its data folder."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise CorpusError(
            "corpus.name espeak needs the package espeakng-loader, which is not installed; "
            "run: pip install espeakng-loader"
        ) from error
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


@contextmanager
def _data_folder(request: SpeechRequest) -> Iterator[Path]:
    """Lay out a data folder for the library: links to its own files, and the variant.

    The library reads variants from its data folder alone, and cannot take a long path.
    """
    _, installed = _installed()
    # A file of another kind would crash the library, another language lack its dictionary.
    known = sorted(f"gmw/{path.name}" for path in (installed / "lang" / "gmw").glob("en*"))
    if request.accent not in known:
        raise CorpusError(
            f"corpus.espeak.accents must name English voices of espeak-ng, got {request.accent!r}; "
            f"there are {', '.join(known)}"
        )
    with temporary_folder("fhvae-espeak") as folder:
        if len(os.fsencode(folder)) > MAX_PATH:
            raise CorpusError(
                f"the temporary folder of espeak-ng must have a path of at most {MAX_PATH} bytes, "
                f"got {len(os.fsencode(folder))} ({folder}); set TMPDIR to a shorter folder"
            )
        for shared in SHARED_DATA:
            (folder / shared).symlink_to(installed / shared)
        variants = folder / "voices" / "!v"
        variants.mkdir(parents=True)
        text = f"language variant\nname {VARIANT}\n{request.variant}"
        (variants / VARIANT).write_text(text, encoding="utf-8")
        yield folder


@contextmanager
def _fresh_library() -> Iterator[ctypes.CDLL]:
    """Load the library in its initial state and unload it at the end, also after an error."""
    import _ctypes  # the only road to dlclose

    path, _ = _installed()
    if _is_loaded(path):
        raise CorpusError(
            f"espeak-ng must be unloadable to give repeatable speech, but {path} stays loaded in "
            "this process; run with glibc Linux, or let nothing else use the library"
        )
    library = ctypes.CDLL(str(path))
    try:
        yield library
    finally:
        library.espeak_Terminate()
        _ctypes.dlclose(library._handle)


def _is_loaded(path: Path) -> bool:
    import _ctypes

    try:
        loaded = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return False
    _ctypes.dlclose(loaded._handle)
    return True


def _speak(library: ctypes.CDLL, folder: Path, request: SpeechRequest) -> Speech:
    blocks: list[np.ndarray] = []
    onsets: list[PhoneOnset] = []

    def collect(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        for event in events:
            if event.type == LIST_END:
                break
            if event.type == PHONEME:
                onsets.append(PhoneOnset(event.sample, event.label.text.decode("ascii")))
        return 0

    callback = _Callback(collect)  # this name keeps it alive while the library may call it
    _open_voice(library, folder, request)
    library.espeak_SetSynthCallback(callback)
    for parameter, value in (
        (RATE, request.rate_wpm),
        (VOLUME, QUIET_ENOUGH),
        (PITCH, request.pitch),
        (RANGE, request.pitch_range),
    ):
        _require(library.espeak_SetParameter(parameter, value, 0) == 0, request, "a parameter")
    library.espeak_ng_SetRandSeed(ctypes.c_long(request.seed))
    text = request.text.encode("utf-8")
    size = ctypes.c_size_t(len(text) + 1)
    status = library.espeak_Synth(text, size, 0, 0, 0, UTF8, None, None)
    _require(status == 0 and library.espeak_Synchronize() == 0, request, "the text")
    _require(bool(blocks and onsets), request, "the text: no samples came")
    return Speech(samples=np.concatenate(blocks), onsets=tuple(onsets))


def _open_voice(library: ctypes.CDLL, folder: Path, request: SpeechRequest) -> None:
    rate = library.espeak_Initialize(
        SYNCHRONOUS, 0, os.fsencode(folder), PHONEME_EVENTS | DO_NOT_EXIT
    )
    _require(rate == RATE_HZ, request, f"its data in {folder}")
    voice = f"{request.accent}+{VARIANT}" if request.variant else request.accent
    status = library.espeak_SetVoiceByName(voice.encode())
    _require(status == 0, request, f"the voice {voice}")


def _require(holds: bool, request: SpeechRequest, what: str) -> None:
    if not holds:
        raise CorpusError(
            f"espeak-ng refused {what} for the sentence {request.text!r}; "
            "reinstall espeakng-loader 0.2.4"
        )
