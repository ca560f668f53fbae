"""A trained model for use: files or samples in, vectors and sound out.

    model = fhvae.load()                       # or fhvae.load("models/fhvae")
    model.embed("speech.wav")                  # mu2: the voice
    model.convert("a.wav", "b.wav").write("a-as-b.wav")

Rate, channels, features and the normalizer are in here, so that no one can forget them.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from fhvae.conversion.change import BLOCK_S, Change, changed_blocks
from fhvae.conversion.matching import (
    MOST_FRAMES,
    Bank,
    Matching,
    bank_of,
    common_bank,
    moved_mix,
)
from fhvae.conversion.pitch import pitch_move
from fhvae.conversion.synthesis import (
    codes_of,
    decoded,
    from_prior,
    griffin_lim,
    moved,
    resynthesized,
    swapped,
)
from fhvae.conversion.voice import Voice, check_finite, common_voice, encode, mu2_of, voice_of
from fhvae.errors import ArtifactError, CorpusError, ParamsError, shown
from fhvae.export import export_onnx
from fhvae.files.below import files_below
from fhvae.model.weights import CONFIG, TrainedModel, is_model, read_model
from fhvae.params.conversion import ConversionParams
from fhvae.params.latents import Mu2Rule
from fhvae.params.reading import from_mapping
from fhvae.progress import progress_bar
from fhvae.recording import (
    Audio,
    Recording,
    check_container,
    check_name,
    check_outputs,
    from_samples,
    mixed,
    open_recording,
    write_audio,
)
from fhvae.trials import Vectors, cosines

SHIPPED = Path(__file__).parent / "shipped"  # the model in the package
ENDS = frozenset(".wav .flac .ogg .oga .mp3 .aiff .aif .au .caf .w64 .sph .nist".split())

LONG_S = 60.0  # of a recording: then somebody waits

log = logging.getLogger(__name__)

Source = str | Path | np.ndarray
Sources = Source | Sequence[Source]


@dataclass(frozen=True)
class Encoding:
    """Latents of one recording.

    Attributes:
        z1: `[segment, z1]` float32, what is said.
        z2: `[segment, z2]` float32, who says it, segment by segment.
        mu2: `[z2]` float32, who says it.
        times_s: `[segment]` float64, middles of the segments in seconds.
    """

    z1: np.ndarray
    z2: np.ndarray
    mu2: np.ndarray
    times_s: np.ndarray


def load(folder: Path | str | None = None, mu2: Mu2Rule = "mean") -> "Model":
    """Load a model folder; without one, the model that comes with the package.

    Args:
        folder: as the stage train writes it.
        mu2: how a recording's mu2 comes of its segments, `mean` or `precision`.

    Raises:
        ArtifactError: there is no model, or it is broken.
        ParamsError: there is no such rule.
    """
    if mu2 not in get_args(Mu2Rule):
        raise ParamsError(f"mu2 must be one of {', '.join(get_args(Mu2Rule))}, got {shown(mu2)}")
    chosen = SHIPPED if folder is None else Path(folder)
    if not is_model(chosen):
        if folder is None:
            raise ArtifactError(
                "a model must be named, none is shipped with this version; "
                'give a folder that the stage train wrote: fhvae.load("models/fhvae"), '
                "at the command line --model models/fhvae"
            )
        raise ArtifactError(f"{chosen} must hold a model, {CONFIG} is not there")
    return Model(read_model(chosen, torch.device("cpu"), mu2))


def audio_files(folder: Path | str) -> list[Path]:
    """List the audio files in a folder and below, sorted; links to folders are followed.

    Raises:
        CorpusError: there is none.
    """
    found = [path for path in files_below(Path(folder)) if path.suffix.lower() in ENDS]
    if not found:
        raise CorpusError(
            f"{folder} must hold audio files, none ends with {' '.join(sorted(ENDS))}"
        )
    return found


@dataclass(frozen=True)
class Model:
    """A trained model that takes paths, or samples with their rate.

    Samples are `[sample]` or `[sample, channel]`, int16 or floats with full scale 1.0. Every
    method says in one sentence (`FhvaeError`) what is wrong with a recording.
    """

    trained: TrainedModel

    @property
    def dimensions(self) -> int:
        """Of mu2."""
        return self.trained.network.params.z2

    def embed(self, audio: Sources, rate: int | None = None) -> np.ndarray:
        """Infer mu2, the voice: `[z2]` float32 of one recording, `[recording, z2]` of several.

        Args:
            audio: a path or samples; a list of these, or a folder (as `audio_files` lists it).
            rate: of samples, in Hz.
        """
        found = [self._mu2(one) for one in _progress(_recordings(audio, rate), "embed")]
        return np.stack(found) if _is_several(audio) else found[0]

    def encode(self, audio: Source, rate: int | None = None) -> Encoding:
        """Infer z1, z2 and mu2 of one recording, with the times of the segments."""
        return self._encode(_recording(audio, rate))

    def score(self, a: Sources, b: Sources, rate: int | None = None) -> float:
        """Compare two voices: high if the same person speaks.

        The cosine of the two mu2; where the model has a calibration, the log-likelihood ratio in
        nats that follows from it. Of a list or a folder mu2 is averaged.
        """
        voices = self.embed(a, rate), self.embed(b, rate)
        return self.compare(*voices, names=(_called(a), _called(b)))

    def compare(self, a: np.ndarray, b: np.ndarray, names: tuple[str, str] = ("a", "b")) -> float:
        """Compare two voices, as `score` does, by the mu2 that `embed` gave.

        Args:
            a, b: `[z2]`, or `[recording, z2]`, which is averaged.
            names: of both, for messages.
        """
        means = [np.atleast_2d(one).mean(axis=0) for one in (a, b)]
        pair = Vectors(names, np.stack(means).astype(np.float64))
        cosine = float(cosines(pair, pair)[0, 1])
        known = self.trained.calibration
        found = cosine if known is None else known.scale * cosine + known.offset
        if not math.isfinite(found):
            raise ArtifactError(
                f"{names[1]}: its score must be finite, it is {found}; the model's calibration is "
                "damaged: copy its folder again, or take another"
            )
        return found

    def convert(
        self,
        source: Source,
        targets: Sources,
        rate: int | None = None,
        to: Path | str | None = None,
        **settings: Any,
    ) -> Audio | None:
        """Say what the source says with the voice of the targets.

        The source's own spectrum is kept and multiplied by gains: what the targets' frames that
        say alike have more (`match=0`: what the decoder says of the other mu2). Its pitch moves
        along. Rate, channels and length stay.

        Args:
            source: what is said.
            targets: one or several recordings of the voice, or a folder of them.
            rate: of samples, in Hz.
            to: a wav or flac file to write, block by block; None: the sound is returned.
            settings: of `ConversionParams`, such as `strength=1.5` or `pitch=False`.
        """
        _check_output(to, source, targets)
        params = self._settings(settings)
        voices = [self._voice(one) for one in _progress(_recordings(targets, rate), "targets")]
        voice, bank = common_voice(voices), None
        if params.match and params.strength:
            bank = self._bank(_recordings(targets, rate), voice.mu2, params.shift)
        return self._change(_recording(source, rate), voice, params, to, bank)

    def denoise(
        self,
        source: Source,
        rate: int | None = None,
        clean: Sources | None = None,
        to: Path | str | None = None,
        **settings: Any,
    ) -> Audio | None:
        """Move mu2 of a noisy recording to that of clean speech; pitch stays.

        Args:
            source: noisy.
            rate: of samples, in Hz.
            clean: clean recordings of the same speaker; None: the mean of the training data.
            to, settings: as in `convert`.
        """
        _check_output(to, source, [] if clean is None else clean)
        params = self._settings({**settings, "pitch": False, "match": 0.0})
        if clean is not None:
            heard = [self._voice(one) for one in _progress(_recordings(clean, rate), "clean")]
            target = common_voice(heard)
        elif self.trained.clean_mu2 is not None:
            target = Voice(self.trained.clean_mu2, np.empty(0))
        else:
            raise ArtifactError(
                "the model must know the mu2 of clean speech, its folder does not say it; "
                "give clean recordings of the speaker, or rerun the stage train with this version"
            )
        return self._change(_recording(source, rate), target, params, to)

    def reconstruct(self, audio: Source, rate: int | None = None) -> Audio:
        """Encode and decode a recording: what the model keeps, with a Griffin-Lim phase, 16 kHz."""
        return self._resynthesize(audio, rate, lambda codes: codes)

    def swap(self, content: Source, voice: Source, rate: int | None = None) -> Audio:
        """Decode z1 of one recording with z2 of another: Griffin-Lim phase, 16 kHz."""
        recording = _recording(voice, rate)
        with mixed(recording) as mix:
            other = codes_of(self.trained, recording, mix, self._default.shift)
        return self._resynthesize(content, rate, lambda codes: swapped(codes, other))

    def traverse(
        self,
        audio: Source,
        dimension: int,
        values: Iterable[float],
        latent: str = "mu2",
        rate: int | None = None,
    ) -> list[Audio]:
        """Add values to one dimension of mu2 (so of every z2) or of z1: Griffin-Lim, 16 kHz."""
        sizes = self.trained.network.params
        if latent not in ("mu2", "z1"):
            raise ParamsError(f"latent must be mu2 or z1, got {latent!r}")
        size = sizes.z1 if latent == "z1" else sizes.z2
        if not 0 <= dimension < size:
            raise ParamsError(f"dimension of {latent} must be 0 to {size - 1}, got {dimension}")
        name, unit = ("z1" if latent == "z1" else "z2"), np.eye(size)[dimension]
        return [
            self._resynthesize(
                audio, rate, lambda codes, by=value: moved(codes, **{name: by * unit})
            )
            for value in values
        ]

    def interpolate(
        self, source: Source, target: Sources, shares: Iterable[float], rate: int | None = None
    ) -> list[Audio]:
        """Go from the voice of the source (share 0) to another (1): Griffin-Lim, 16 kHz."""
        other = np.atleast_2d(self.embed(target, rate)).mean(axis=0)
        way = other - self.embed(source, rate)
        return [
            self._resynthesize(source, rate, lambda codes, part=share: moved(codes, z2=part * way))
            for share in shares
        ]

    def sample(self, segments: int = 20, seed: int = 0) -> Audio:
        """Draw a voice and what it says from the prior: babble, Griffin-Lim phase, 16 kHz."""
        if segments < 1:
            raise ParamsError(f"segments must be at least 1, got {segments}")
        codes = from_prior(self.trained, segments, seed)
        return griffin_lim(decoded(self.trained, codes), self.trained.fbank)

    def export_onnx(self, folder: Path | str) -> None:
        """Write encoder.onnx and decoder.onnx; needs the package onnx."""
        export_onnx(self.trained, Path(folder))

    @property
    def _default(self) -> ConversionParams:
        return ConversionParams()

    def _settings(self, settings: dict[str, Any]) -> ConversionParams:
        values = {**vars(self._default), **settings}
        return from_mapping(ConversionParams, values, source="settings", key="conversion")

    def _encode(self, recording: Recording) -> Encoding:
        with mixed(recording) as mix:
            found = encode(self.trained, recording, mix)
        centers = found.starts + (found.segment_frames - 1) / 2
        times = centers * self.trained.fbank.hop_ms / 1000
        return Encoding(found.z1_mean, found.z2_mean, found.mu2[0], times)

    def _mu2(self, recording: Recording) -> np.ndarray:
        with mixed(recording) as mix:
            return mu2_of(self.trained, recording, mix)

    def _voice(self, recording: Recording) -> Voice:
        with mixed(recording) as mix:
            return voice_of(self.trained, recording, mix)

    def _bank(self, opened: list[Callable[[], Recording]], mu2: np.ndarray, shift: int) -> Bank:
        banks, most = [], max(1, MOST_FRAMES // len(opened))
        for one in opened:
            with mixed(one()) as mix, np.errstate(over="ignore", invalid="ignore"):
                banks.append(bank_of(self.trained, mix, mu2, shift, most))
        return common_bank(banks)

    def _resynthesize(self, audio: Source, rate: int | None, change: Callable[..., Any]) -> Audio:
        recording = _recording(audio, rate)
        with mixed(recording) as mix, np.errstate(over="ignore", invalid="ignore"):
            return resynthesized(self.trained, recording, mix, self._default.shift, change)

    def _change(
        self,
        recording: Recording,
        target: Voice,
        params: ConversionParams,
        to: Path | str | None,
        bank: Bank | None = None,
    ) -> Audio | None:
        if to is not None:
            check_container(Path(to), recording.rate_hz, recording.channels)
        with ExitStack() as opened:
            # what is no number in the end is told in one sentence, not in warnings on the way
            opened.enter_context(np.errstate(over="ignore", invalid="ignore"))
            mix = opened.enter_context(mixed(recording))
            own = voice_of(self.trained, recording, mix)
            pitch = pitch_move(own.pitch, target.pitch, params)
            matching = None
            if bank is not None:
                heard = opened.enter_context(moved_mix(mix, own.f0, pitch))
                frames = bank_of(self.trained, heard, target.mu2, params.shift)
                matching = Matching(heard, target.mu2, frames, bank)
            change = Change(params.strength * (target.mu2 - own.mu2), pitch, own.f0, matching)

            def blocks() -> Iterator[np.ndarray]:
                for block in changed_blocks(self.trained, recording, mix, change, params):
                    check_finite(recording, block)
                    yield block

            if to is not None:
                _write_within(Path(to), blocks, recording)
                return None
            limit = max(1.0, mix.peak)  # of floats, which have room beyond full scale
            whole = np.concatenate(list(blocks())).astype(np.float32)
        whole *= np.float32(min(1.0, limit / max(float(np.abs(whole).max()), limit)))
        return Audio(whole[:, 0] if recording.channels == 1 else whole, recording.rate_hz)


def _write_within(
    path: Path, blocks: Callable[[], Iterator[np.ndarray]], recording: Recording
) -> None:
    """Write a file; what would be beyond full scale is computed again and written softer."""
    peak, seconds = 0.0, recording.samples / recording.rate_hz

    def watched(scale: float) -> Iterator[np.ndarray]:
        nonlocal peak
        total = math.ceil(seconds / BLOCK_S)
        shown = seconds > LONG_S
        for block in progress_bar(blocks(), path.name, "block", total=total, shown=shown):
            peak = max(peak, float(np.abs(block).max()))
            yield scale * block

    form = recording.rate_hz, recording.channels, recording.subtype
    write_audio(path, watched(1.0), *form)
    if peak > 1:
        log.info("%s: lowered by %.1f dB to stay within full scale", path, to_db(peak))
        write_audio(path, watched(1 / peak), *form)


def to_db(ratio: float) -> float:
    """Express a ratio of amplitudes in dB."""
    return 20 * math.log10(ratio)


def _is_several(audio: Sources) -> bool:
    if isinstance(audio, str | Path):
        return Path(audio).is_dir()
    return not isinstance(audio, np.ndarray)


def _recordings(audio: Sources, rate: int | None) -> list[Callable[[], Recording]]:
    """List recordings, each opened when its turn comes."""
    several = _listed(audio)
    if not several:
        raise CorpusError("at least one recording must be given, got an empty list")
    return [lambda one=one: _recording(one, rate) for one in several]  # type: ignore[misc]


def _listed(audio: Sources) -> Sequence[Source]:
    """Name each recording: those of a folder, of a list, or the only one."""
    if isinstance(audio, str | Path):
        return audio_files(audio) if Path(audio).is_dir() else [audio]
    return [audio] if isinstance(audio, np.ndarray) else audio


def _check_output(to: Path | str | None, *given: Sources) -> None:
    """Check that what is to be written, if anything, is none of the recordings given."""
    if to is not None:
        read = [one for audio in given for one in _listed(audio)]
        check_outputs([Path(to)], [Path(one) for one in read if isinstance(one, str | Path)])


def _called(audio: Sources) -> str:
    """Name what is given in a message."""
    return str(audio) if isinstance(audio, str | Path) else "samples"


def _recording(audio: Source, rate: int | None) -> Recording:
    if isinstance(audio, str | Path):
        check_name(audio)
        return open_recording(Path(audio))
    if rate is None:
        raise CorpusError("samples must come with their rate in Hz, none was given")
    return from_samples(audio, rate)


def _progress(recordings: list[Callable[[], Recording]], label: str) -> Iterator[Recording]:
    for opened in progress_bar(recordings, label, "file", shown=len(recordings) > 1):
        yield opened()
