"""A made-up training set: utterances that differ by a constant spectrum, segments by a slope."""

import numpy as np

from fhvae.files.packed import Packed
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.seeds import generator
from fhvae.training.batches import Sequences, open_sequences
from fhvae.training.loop import Setting
from tests.params_factory import model_params

MELS = 7


def make_sequences(utterances: int, speakers: int, seed: int) -> Sequences:
    random = generator(seed, "made-up frames")
    lengths = random.integers(12, 30, size=utterances)
    voices = random.normal(size=(speakers, MELS))
    speaker = np.arange(utterances) % speakers
    frames = [
        voices[who] + 0.3 * random.normal(size=MELS) + 0.5 * random.normal(size=(length, MELS))
        for who, length in zip(speaker, lengths, strict=True)
    ]
    ids = tuple(f"u{number:02}" for number in range(utterances))
    rows = np.concatenate(frames).astype(np.float32)
    packed = Packed(rows, ids, np.cumsum(lengths) - lengths, lengths)
    people = {name: f"s{who}" for name, who in zip(ids, speaker, strict=True)}
    return open_sequences([packed], people, "utterance")


def make_setting(
    alpha: float = 10.0, seed: int = 0, cell: str = "lstm", **training: object
) -> Setting:
    values: dict[str, object] = {
        "domains": "clean",
        "mu2_table": "closed_form",
        "block_sequences": 0,
        "sequence": "utterance",
        "batch": 8,
        "learning_rate": 0.003,
        "precision": "float32",
        "average": 0.0,
        "skip_nearest": 0,
        "mask_mels": 0,
        "gain_db": 0.0,
        "noise_floor_db": (),
        "adam_beta1": 0.95,
        "adam_beta2": 0.999,
        "epoch_steps": 5,
        "max_epochs": 4,
        "patience": 10,
        "collapse_kl_z2": 0.0,
        "collapse_variance_z2": 0.0,
        "collapse_log_q": 0.5,
        "collapse_log_variance_x": -5.0,
        "collapse_certain_share": 1.0,
    }
    return Setting(
        alpha=alpha,
        seed=seed,
        segments=SegmentsParams(frames=5, train_shift=3, shift=4),
        model=model_params(cell=cell),
        training=TrainingParams(**{**values, **training}),  # type: ignore[arg-type]
    )
