"""Waveform -> MFCC frames of speech.

Cepstra of the project's own log-mel frames (`fhvae.features.fbank`) with first and second
differences; an energy detector drops the pauses. If asked for, the mean, or mean and variance, of
what is left of the utterance are taken out: channel and level go, and with them what a voice
adds to every frame.
"""

from dataclasses import dataclass, replace

import numpy as np

from fhvae.baselines.ivector.detector import is_speech
from fhvae.features.fbank import log_mel
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import FrontEnd, IvectorParams, Normalization

MIN_SPEECH_FRAMES = 10  # fewer, and the detector is not believed
DELTA_FRAMES = 9  # the regression of a difference reaches 4 frames to either side
MIN_STD = 1e-3  # of a coefficient; below, it does not vary and is left at 0


@dataclass(frozen=True)
class SpeechFrames:
    """What is left of one utterance.

    Attributes:
        frames: `[frame, feature]` float32.
        total: frames of the utterance before the detector.
        detected: False where the detector found too little speech and all frames were taken.
    """

    frames: np.ndarray
    total: int
    detected: bool


def feature_count(params: IvectorParams) -> int:
    """Count the features of a frame: cepstra, first and second differences."""
    return 3 * params.coefficients


def speech_frames(
    samples: np.ndarray, front: FrontEnd, params: IvectorParams, fbank: FbankParams
) -> SpeechFrames:
    """Compute the features of an utterance's speech.

    Where fewer than `MIN_SPEECH_FRAMES` frames are speech, as in a silent recording, all frames
    are taken and `detected` is False: every utterance gets a vector, and the stage counts these.

    Args:
        samples: `[sample]` int16 at 16 kHz.
        front: detector and normalization.
        params: section `ivector`.
        fbank: section `fbank`, for the frames that both share.

    Source:
        paper-map: i-vector.
    """
    log_energies = log_mel(samples, _mel_params(params, fbank))
    features = add_differences(cepstra(log_energies, params.coefficients))
    speech = is_speech(log_energies, front.vad_db)
    detected = int(speech.sum()) >= MIN_SPEECH_FRAMES
    kept = features[speech] if detected else features
    return SpeechFrames(normalize(kept, front.normalization), len(features), detected)


def _mel_params(params: IvectorParams, fbank: FbankParams) -> FbankParams:
    """Frame as the model's input is framed, with fewer bands and of the power: the usual MFCC."""
    return replace(fbank, mels=params.mels, power=2.0)


def cepstra(log_energies: np.ndarray, coefficients: int) -> np.ndarray:
    """Take the first coefficients of the orthonormal DCT of log-mel frames, `[frame, mel]`.

    Returns:
        `[frame, coefficient]` float64; the first is proportional to the mean log energy.
    """
    import librosa

    mfcc = librosa.feature.mfcc(S=log_energies.T.astype(np.float64), n_mfcc=coefficients)
    return np.ascontiguousarray(mfcc.T)


def add_differences(features: np.ndarray) -> np.ndarray:
    """Append first and second differences over time, `[frame, 3 feature]`.

    Frames beyond either end are taken equal to the first or the last one.
    """
    import librosa

    orders = [
        librosa.feature.delta(features.T, width=DELTA_FRAMES, order=order, mode="nearest")
        for order in (1, 2)
    ]
    return np.concatenate([features, *(order.T for order in orders)], axis=1)


def normalize(features: np.ndarray, normalization: Normalization) -> np.ndarray:
    """Take the utterance's own mean, or mean and variance, out of its frames, float32.

    Args:
        features: `[frame, feature]`.
        normalization: "corpus" leaves the frames as they are, for one scale of all utterances.
    """
    if normalization == "corpus":
        return np.asarray(features, np.float32)
    centered = features - features.mean(axis=0)
    if normalization == "mean":
        return np.asarray(centered, np.float32)
    std = centered.std(axis=0)
    varies = std > MIN_STD
    return np.asarray(np.where(varies, centered / np.where(varies, std, 1), 0), np.float32)
