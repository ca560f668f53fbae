"""Small pictures of segments: time to the right in ms, frequency upwards in Hz."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fhvae.features.fbank import SAMPLE_RATE_HZ, hz_to_mel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOR_MAP = "magma"
CONTRAST_PERCENT = 1.0  # cut off both ends of the values before coloring
TICKS_HZ = {500.0: "500 Hz", 2000.0: "2 kHz", 6000.0: "6 kHz"}  # round, and far apart in mel
UNIT = "log-mel, nats"


@dataclass(frozen=True)
class Look:
    """How segments of one figure are shown.

    Attributes:
        hop_ms: between two frames.
        low, high: log-mel values of the darkest and of the brightest color, nats.
    """

    hop_ms: float
    low: float
    high: float


def look_of(segments: np.ndarray, hop_ms: float) -> Look:
    """Choose the scale of colors that segments `[..., frame, mel]` need."""
    low, high = np.percentile(segments, [CONTRAST_PERCENT, 100 - CONTRAST_PERCENT])
    return Look(hop_ms, float(low), float(high))


def show_segment(axes: "Axes", segment: np.ndarray, look: Look) -> None:
    """Draw one segment `[frame, mel]`, without ticks."""
    frames, mels = segment.shape
    axes.imshow(
        segment.T,
        cmap=COLOR_MAP,
        vmin=look.low,
        vmax=look.high,
        extent=(0, frames * look.hop_ms, -0.5, mels - 0.5),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[])


def mark_frequencies(axes: "Axes", mels: int) -> None:
    """Put ticks on the bands that lie at round frequencies."""
    places = bands_at(np.array(list(TICKS_HZ)), mels)
    axes.set_yticks(places, list(TICKS_HZ.values()), fontsize="x-small")
    axes.tick_params(axis="y", length=2, pad=1)


def bands_at(hz: np.ndarray, mels: int) -> np.ndarray:
    """Say which band, counted from 0, has its peak at a frequency; between two, a fraction."""
    step = float(hz_to_mel(np.array(SAMPLE_RATE_HZ / 2))) / (mels + 1)
    return np.asarray(hz_to_mel(hz) / step - 1)


def mark_times(axes: "Axes", frames: int, hop_ms: float) -> None:
    """Put ticks at both ends of a segment."""
    end = frames * hop_ms
    axes.set_xticks([0, end], ["0", f"{end:g} ms"], fontsize="x-small")
    axes.tick_params(axis="x", length=2, pad=1)
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
