"""What the decoder says of a change of mu2, as a gain on every frame and mel band.

Only the difference of two decoded spectra is used: what the model says about how to change a
spectrum, not what it says a spectrum is, which is smooth (it is a mean) and sounds so.
"""

import numpy as np
import torch

from fhvae.features.fbank import band_edges_hz
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.conversion import ConversionParams
from fhvae.params.fbank import FbankParams
from fhvae.recording import Mix
from fhvae.segments import gather


def segment_starts(frames: int, segment_frames: int, shift: int) -> np.ndarray:
    """Place segments so that every frame lies in one, `[segment]` int64.

    They begin at 0, shift, 2 shift, ...; the last one ends with the recording.
    """
    starts = np.arange(0, frames - segment_frames + 1, shift)
    last = frames - segment_frames
    return starts if starts[-1] == last else np.append(starts, last)


def triangle(segment_frames: int) -> np.ndarray:
    """Weigh the frames of a segment, most in the middle, `[frame]` above 0."""
    rising = np.arange(1, segment_frames + 1)
    return np.minimum(rising, rising[::-1]).astype(np.float64)


def overlapped(segments: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Average segments where they overlap, weighed by a triangle, `[frame, mel]` float64.

    Args:
        segments: `[frame, segment, mel]`.
        starts: `[segment]`, frames, all different, from 0 on; every frame lies in a segment.
    """
    length, frames = len(segments), int(starts[-1]) + len(segments)
    total, weights = np.zeros((frames, segments.shape[2])), np.zeros((frames, 1))
    for frame, weight in enumerate(triangle(length)):
        total[starts + frame] += weight * segments[frame]
        weights[starts + frame] += weight
    return np.asarray(total / weights)


def log_gains(
    trained: TrainedModel,
    mix: Mix,
    step: np.ndarray,
    first: int,
    last: int,
    params: ConversionParams,
) -> np.ndarray:
    """Predict the gain of frames `first` to `last`, `[frame, mel]` in nats of amplitude.

    The mean over all segments that hold a frame, weighed by a triangle, of the decoder's mean
    for `z2 + step` less that for `z2`; then bounded by `most_gain`.

    Args:
        trained: the model.
        mix: what is said, and by whom.
        step: `[z2]`, what is added to z2 of every segment.
        first, last: frames of the recording.
        params: `shift` and `most_gain`.
    """
    length = trained.segments.frames
    shift = min(params.shift, length)
    starts = segment_starts(mix.frames(trained.fbank), length, shift)
    starts = starts[(starts > first - length) & (starts < last)]
    begin, behind = int(starts[0]), int(starts[-1]) + length
    frames = trained.normalizer.apply(mix.log_mel(begin, behind, trained.fbank))
    difference = _decoded_difference(trained, frames, starts - begin, step)
    mean = overlapped(difference, starts - begin)[first - begin : last - begin]
    nats = mean * trained.normalizer.std / trained.fbank.power
    return np.asarray(np.clip(nats, -params.most_gain, params.most_gain))


@torch.inference_mode()
def _decoded_difference(
    trained: TrainedModel, frames: np.ndarray, starts: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """Decode every segment with and without the step, `[frame, segment, mel]`, normalized."""
    network, length = trained.network, trained.segments.frames
    device = next(network.parameters()).device
    rows = torch.from_numpy(frames).to(device)
    segments = gather(rows, torch.from_numpy(starts).to(device), length)
    found = posteriors(network, segments)
    z1, z2 = found.z1.mean, found.z2.mean
    moved = z2 + torch.from_numpy(step).to(z2)
    changed = network.decode(z1, moved, length).mean - network.decode(z1, z2, length).mean
    return np.asarray(changed.cpu().numpy(), np.float64)


def band_centers_hz(params: FbankParams) -> np.ndarray:
    """Say where the triangles of the mel bands peak, `[mel]` in Hz."""
    return band_edges_hz(params.mels)[1:-1]


def bands_to_bins(params: FbankParams, window: int, rate_hz: int) -> np.ndarray:
    """Interpolate from mel bands to the bins of a spectrum, `[mel, bin]`.

    Linear between the centers of bands. Below the first and above the last, and so above the
    8 kHz that the model hears, the gain is that of the nearest band.
    """
    bins_hz = np.fft.rfftfreq(window, 1 / rate_hz)
    centers = band_centers_hz(params)
    return np.stack([np.interp(bins_hz, centers, one) for one in np.eye(params.mels)])
