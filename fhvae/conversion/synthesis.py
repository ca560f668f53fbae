"""Speech where there is no source to keep: decoded spectra, with a phase by Griffin and Lim (1984).

It sounds smooth and metallic, as the decoder gives means: for hearing what a latent does, not
for use. What keeps its source is in change.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.conversion.gain import bands_to_bins, overlapped, segment_starts
from fhvae.conversion.voice import check_finite, check_length
from fhvae.errors import ParamsError
from fhvae.features.fbank import SAMPLE_RATE_HZ, hop_samples, mel_filters, window
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.fbank import FbankParams
from fhvae.recording import Audio, Mix, Recording
from fhvae.seeds import generator
from fhvae.segments import gather

GRIFFIN_LIM_ROUNDS = 60  # of its iteration, as in the measurements of others


@dataclass(frozen=True)
class Codes:
    """Latents of overlapping segments.

    Attributes:
        starts: `[segment]`, frames.
        z1, z2: `[segment, z1]` and `[segment, z2]` float32, posterior means.
    """

    starts: np.ndarray
    z1: np.ndarray
    z2: np.ndarray


@torch.inference_mode()
def codes_of(trained: TrainedModel, recording: Recording, mix: Mix, shift: int) -> Codes:
    """Encode segments so that every frame of a recording lies in one.

    Raises:
        CorpusError: it is shorter than a segment.
        ArtifactError: the model makes no numbers of it.
    """
    check_length(trained, recording, mix)
    length = trained.segments.frames
    frames = trained.normalizer.apply(mix.log_mel(0, mix.frames(trained.fbank), trained.fbank))
    starts = segment_starts(len(frames), length, min(shift, length))
    rows = torch.from_numpy(frames)
    found = posteriors(trained.network, gather(rows, torch.from_numpy(starts), length))
    codes = Codes(starts, found.z1.mean.numpy(), found.z2.mean.numpy())
    check_finite(recording, codes.z1, codes.z2)
    return codes


@torch.inference_mode()
def decoded(trained: TrainedModel, codes: Codes) -> np.ndarray:
    """Decode latents to log-mel frames, `[frame, mel]`, overlapping segments averaged."""
    z1, z2 = (torch.from_numpy(np.array(part, np.float32)) for part in (codes.z1, codes.z2))
    segments = trained.network.decode(z1, z2, trained.segments.frames).mean.numpy()
    return trained.normalizer.undo(overlapped(segments, codes.starts))


def swapped(content: Codes, voice: Codes) -> Codes:
    """Take z1 of one recording and the mean of z2 of another."""
    z2 = np.broadcast_to(voice.z2.mean(axis=0), content.z2.shape)
    return Codes(content.starts, content.z1, z2)


def moved(codes: Codes, *, z1: np.ndarray | float = 0.0, z2: np.ndarray | float = 0.0) -> Codes:
    """Add the same to the latents of every segment: a traversal, an interpolation of voices."""
    return Codes(codes.starts, codes.z1 + z1, codes.z2 + z2)


def from_prior(trained: TrainedModel, segments: int, seed: int) -> Codes:
    """Draw one voice, and segments that follow each other half overlapped."""
    params, length = trained.network.params, trained.segments.frames
    random = generator(seed, "prior")
    mu2 = params.mu2_std * random.standard_normal(params.z2)
    return Codes(
        starts=np.arange(segments) * max(1, length // 2),
        z1=params.z1_std * random.standard_normal((segments, params.z1)),
        z2=mu2 + params.z2_std * random.standard_normal((segments, params.z2)),
    )


def griffin_lim(log_mel: np.ndarray, params: FbankParams, samples: int | None = None) -> Audio:
    """Find a waveform whose log-mel frames are near those given.

    Args:
        log_mel: `[frame, mel]`, not normalized.
        params: section `fbank`, which made them.
        samples: of the waveform; None: what the frames give.

    Raises:
        ParamsError: they are no numbers, or louder than float32 can say.
    """
    import librosa

    bins = bands_to_bins(params, params.fft_size, SAMPLE_RATE_HZ)
    width = np.log(mel_filters(params).sum(axis=1))
    spectrum = ((log_mel - width) / params.power) @ bins - _log_emphasis(params)
    with np.errstate(over="ignore"):
        magnitudes = np.exp(spectrum).T.astype(np.float32)
    if not np.isfinite(magnitudes).all():
        raise ParamsError("a decoded spectrum must be finite, it is not; move the latents by less")
    taper = window(params)
    wave = librosa.griffinlim(
        magnitudes,
        n_iter=GRIFFIN_LIM_ROUNDS,
        hop_length=hop_samples(params.hop_ms),
        win_length=len(taper),
        n_fft=params.fft_size,
        window=taper,
        length=samples,
        random_state=0,
    )
    return Audio(np.asarray(wave, np.float32), SAMPLE_RATE_HZ)


def _log_emphasis(params: FbankParams) -> np.ndarray:
    """Say what pre-emphasis did to every bin, in nats."""
    angles = np.pi * np.arange(params.fft_size // 2 + 1) / (params.fft_size // 2)
    return np.asarray(np.log(np.abs(1 - params.preemphasis * np.exp(-1j * angles)) + 1e-6))


Voicing = Callable[[Codes], Codes]


def resynthesized(
    trained: TrainedModel, recording: Recording, mix: Mix, shift: int, change: Voicing
) -> Audio:
    """Encode a recording, change its latents, and make it sound at 16 kHz, as long as it was."""
    log_mel = decoded(trained, change(codes_of(trained, recording, mix, shift)))
    return griffin_lim(log_mel, trained.fbank, mix.length)
