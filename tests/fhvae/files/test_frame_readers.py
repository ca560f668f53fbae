"""Readers of frames get from shards of float16 what they get from one array of float32."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fhvae.baselines.controls import Meaning, change_input
from fhvae.baselines.ivector.extraction import sample_frames
from fhvae.baselines.pca import fit_pca
from fhvae.features.extraction import frame_chunks
from fhvae.features.normalize import Normalizer, estimate_normalizer
from fhvae.files import shards
from fhvae.files.packed import Packed, PackedWriter, read_packed
from fhvae.files.shards import ShardedRows
from fhvae.inference import infer_latents
from fhvae.latents import Latents
from fhvae.model.network import new_network
from fhvae.model.weights import TrainedModel
from fhvae.probes.rows import Controls, segment_rows
from fhvae.recognition.inputs import RowReader, all_dimensions, measure_normalizer
from fhvae.segments import gather
from fhvae.training.batches import open_sequences
from fhvae.verification.vectors import row_statistics
from tests.latent_factory import (
    MELS,
    SEGMENT_FRAMES,
    SHIFT,
    make_frames,
    make_latents,
    make_pca,
    make_utterances,
)
from tests.probe_factory import FBANK, MODEL, SEGMENTS

UTTERANCES = make_utterances("train", speakers=4, each=3)
SPEAKERS = {item.utterance_id: item.speaker for item in UTTERANCES}
LATENTS = make_latents(UTTERANCES)
NORMALIZER = Normalizer(np.linspace(-9, -3, MELS), np.linspace(1, 2, MELS))
MEANING = Meaning(NORMALIZER, power=1.0, vad_db=10.0)


@pytest.fixture(scope="module")
def rounded() -> Packed:
    """Frames rounded to half precision, as one array of float32 in memory."""
    frames = make_frames(LATENTS)
    return replace(frames, rows=np.float32(np.float16(frames.rows)))


@pytest.fixture(scope="module")
def stem(rounded, tmp_path_factory):
    """The same in several files of float16."""
    stem = tmp_path_factory.mktemp("frames") / "train"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_BYTES", 80 * 2 * MELS)
        with PackedWriter(stem, "float16", (MELS,)) as writer:
            for name, rows in rounded.items():
                writer.append(name, rows)
    return stem


def loaded(packed: Packed) -> np.ndarray:
    data = open_sequences([packed, packed], SPEAKERS, "utterance").load(torch.device("cpu"))
    return gather(data.frames, torch.arange(len(data.frames)), 1)[0].numpy()


def inferred(packed: Packed) -> np.ndarray:
    network = new_network(MELS, SEGMENT_FRAMES, MODEL, 1).requires_grad_(False)
    model = TrainedModel(network, SEGMENTS, FBANK)
    found: Latents = infer_latents(model, packed, SHIFT)
    return np.hstack([found.z1_mean, found.z2_mean])


def probed(packed: Packed) -> np.ndarray:
    controls = Controls(pca=make_pca(), stacked=True)
    inputs = segment_rows(LATENTS, packed, UTTERANCES, controls).inputs
    everything = np.arange(len(LATENTS.starts))
    return np.hstack([np.asarray(inputs[name][everything]) for name in sorted(inputs)])


def recognized(packed: Packed) -> np.ndarray:
    reader = RowReader(packed, all_dimensions)
    normalizer = measure_normalizer(reader, packed.utterance_ids)
    return np.concatenate([normalizer.apply(reader.rows(name)) for name in packed.utterance_ids])


def normalized(packed: Packed) -> np.ndarray:
    found = estimate_normalizer(frame_chunks([packed.rows]))
    return np.stack([found.mean, found.std])


READERS = {
    "training": loaded,
    "inference": inferred,
    "probes": probed,
    "recognition": recognized,
    "normalizer": normalized,
    "mean-removed": lambda packed: change_input(packed, MEANING, "mean_removed", 1).rows,
    "level": lambda packed: change_input(packed, MEANING, "level", 1).rows,
    "speech": lambda packed: change_input(packed, MEANING, "speech", 1).rows,
    "pca": lambda packed: fit_pca(packed, SEGMENT_FRAMES, 2, 3, np.random.default_rng(0)).mean,
    "verification": lambda packed: row_statistics(packed).values,
}


@pytest.mark.parametrize("name", READERS)
def test_readers_get_the_same(rounded, stem, name):
    found, expected = READERS[name](read_packed(stem)), READERS[name](rounded)
    assert isinstance(read_packed(stem).rows, ShardedRows)
    assert found.dtype == expected.dtype != np.float16
    np.testing.assert_array_equal(found, expected)


def test_a_sample_of_frames_is_taken_from_all_shards(rounded, stem):
    chosen = sample_frames(stem, 50, np.random.default_rng(3))
    kept = np.sort(np.random.default_rng(3).permutation(len(rounded.rows))[:50])
    np.testing.assert_array_equal(chosen, rounded.rows[kept])
