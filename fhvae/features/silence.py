"""Digital silence: frames at the floor of the logarithm in every band.

They hold no sound but the same number everywhere, which a decoder learns by heart
(docs/decisions/0021-silence.md).
"""

import logging

import numpy as np

from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed
from fhvae.params.fbank import FbankParams

log = logging.getLogger(__name__)


def floor_frames(packed: Packed, normalizer: Normalizer, log_floor: float) -> np.ndarray:
    """Count the frames of each utterance that are at the floor in all bands, `[utterance]`.

    Args:
        packed: frames, normalized by `normalizer`, in float32 or float16.
        normalizer: of the corpus.
        log_floor: `fbank.log_floor`.
    """
    mels = packed.rows.shape[1]
    floor = normalizer.apply(np.full((1, mels), log_floor, np.float32)).astype(packed.rows.dtype)
    return np.array([(frames == floor).all(axis=1).sum() for _, frames in packed.items()])


def count_silence(
    split: str, packed: Packed, normalizer: Normalizer, params: FbankParams
) -> dict[str, int]:
    """Count a split's frames at the floor, and its utterances with too many; warn of these."""
    found = floor_frames(packed, normalizer, params.log_floor)
    shares = found / packed.lengths
    silent = int((shares > params.silent_share).sum())
    if silent:
        worst = int(shares.argmax())
        log.warning(
            "split %s: %d of %d utterances have more than fbank.silent_share=%g of their frames at "
            "fbank.log_floor=%g (digital silence), %s has %.0f %%; a decoder learns them by heart "
            "(docs/decisions/0021-silence.md)",
            split,
            silent,
            len(packed),
            params.silent_share,
            params.log_floor,
            packed.utterance_ids[worst],
            100 * shares[worst],
        )
    return {"floor_frames": int(found.sum()), "silent_utterances": silent}
