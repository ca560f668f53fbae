"""Digital silence is counted where it is, and nothing else is."""

import numpy as np
import pytest

from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.features.silence import count_silence, floor_frames
from fhvae.files.packed import Packed
from tests.params_factory import fbank_params

MELS, HOP, QUIET = 11, 160, (0, 12, 40)  # samples; frames of silence in each utterance
PARAMS = fbank_params(mels=MELS, silent_share=0.2)


def utterance(silent: int) -> np.ndarray:
    """Make 60 frames of noise with zeros in the middle, `silent` frames of which hear nothing else.

    A frame hears 512 samples about its center, and the sample before them by pre-emphasis.
    """
    samples = np.random.default_rng(silent).integers(-900, 900, 60 * HOP).astype(np.int16)
    if silent:
        first = 10 * HOP - 257
        samples[first : 10 * HOP + (silent - 1) * HOP + 257] = 0
    return log_mel(samples, PARAMS)


@pytest.fixture(params=["float32", "float16"])
def split(request) -> tuple[Packed, Normalizer]:
    """Pack three utterances, normalized as the stage does."""
    frames = [utterance(silent) for silent in QUIET]
    lengths = np.array([len(one) for one in frames])
    rows = np.concatenate(frames)
    normalizer = Normalizer(rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64))
    normalized = normalizer.apply(rows).astype(request.param)
    return Packed(normalized, ("a", "b", "c"), np.cumsum(lengths) - lengths, lengths), normalizer


def test_frames_at_the_floor_are_those_of_zeros(split):
    assert floor_frames(*split, PARAMS.log_floor).tolist() == list(QUIET)


def test_utterances_with_too_much_silence_are_counted_and_the_worst_is_named(split, caplog):
    found = count_silence("train", *split, PARAMS)
    assert found == {"floor_frames": 52, "silent_utterances": 1}
    assert "split train: 1 of 3 utterances have more than fbank.silent_share=0.2" in caplog.text
    assert "c has 66 %" in caplog.text


def test_a_corpus_without_silence_is_not_warned_of(split, caplog):
    assert count_silence("dev", *split, fbank_params(silent_share=0.7))["silent_utterances"] == 0
    assert caplog.text == ""
