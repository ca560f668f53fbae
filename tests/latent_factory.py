"""Made-up latents and frames whose speakers and phones are known.

z2 sits at a point of the speaker, z1 at a point of the phone, and a frame shows both; so what
each vector must tell is known by construction.
"""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fhvae.baselines.pca import PCA_FILE, Pca, write_pca
from fhvae.corpus.manifest import Phone, Recording, Utterance
from fhvae.corpus.store import write_corpus
from fhvae.files.packed import Packed, PackedWriter
from fhvae.latents import Latents, write_latents

SEGMENT_FRAMES = 5
SHIFT = 4
HOP_S = 0.01
PHONE_NAMES = ("aa", "iy", "s", "t")
Z1, Z2, MELS, RANK = 3, 4, 7, 6
# of mu2 that are made otherwise, by their folder
OTHER_MU2 = {
    "baselines/untrained_latents": 1.5,
    "controls/mean_removed": 0.5,
    "controls/level": 0.2,
    "controls/speech": 0.15,
}


def make_utterances(
    split: str, speakers: int, each: int, prefix: str | None = None
) -> list[Utterance]:
    """Name `each` utterances of each speaker; half the speakers are "F"."""
    prefix = split if prefix is None else prefix
    return [
        Utterance(
            utterance_id=f"{prefix}{speaker:02d}_{number:02d}",
            path="",
            speaker=f"{prefix}{speaker:02d}",
            gender="FM"[speaker % 2],
            text="",
            split=split,
            duration_s=0.0,
        )
        for speaker in range(speakers)
        for number in range(each)
    ]


def segment_phones(utterance: Utterance, segments: int) -> list[str]:
    """Say which phone is spoken in each segment, in turn from a start of the utterance."""
    start = zlib.crc32(utterance.utterance_id.encode())
    return [PHONE_NAMES[(start + place) % len(PHONE_NAMES)] for place in range(segments)]


def alignment(utterance: Utterance, segments: int) -> tuple[Phone, ...]:
    """Lay the phones of `segment_phones` out so that each holds its segment's center frame."""
    center = (SEGMENT_FRAMES - 1) // 2
    times = [(place * SHIFT + center - 1) * HOP_S for place in range(segments + 1)]
    return tuple(
        Phone(round(start, 3), round(end, 3), name)
        for start, end, name in zip(
            times[:-1], times[1:], segment_phones(utterance, segments), strict=True
        )
    )


def make_latents(
    utterances: Sequence[Utterance],
    noise: float = 0.1,
    segments: int = 6,
    seed: int = 0,
    sizes: tuple[int, int] = (Z1, Z2),
) -> Latents:
    """Place z2 by speaker and z1 by phone, each `noise` around its point."""
    random = np.random.default_rng(seed)
    utterances = sorted(utterances, key=lambda utterance: utterance.utterance_id)
    places = np.random.default_rng(1)
    by_speaker = {
        name: places.normal(size=sizes[1]) for name in sorted({u.speaker for u in utterances})
    }
    by_phone = dict(zip(PHONE_NAMES, np.eye(len(PHONE_NAMES), sizes[0]) * 3 - 1, strict=True))
    z1 = [by_phone[name] for item in utterances for name in segment_phones(item, segments)]
    z2 = [by_speaker[item.speaker] for item in utterances for _ in range(segments)]
    z1_mean = (np.array(z1) + noise * random.normal(size=(len(z1), sizes[0]))).astype(np.float32)
    z2_mean = (np.array(z2) + noise * random.normal(size=(len(z2), sizes[1]))).astype(np.float32)
    count = len(utterances)
    return Latents(
        utterance_ids=tuple(item.utterance_id for item in utterances),
        offsets=np.arange(count, dtype=np.int64) * segments,
        lengths=np.full(count, segments, dtype=np.int64),
        starts=np.tile(np.arange(segments, dtype=np.int32) * SHIFT, count),
        z1_mean=z1_mean,
        z1_log_variance=np.full_like(z1_mean, -1),
        z2_mean=z2_mean,
        z2_log_variance=np.full_like(z2_mean, -1),
        mu2=z2_mean.reshape(count, segments, -1).mean(axis=1),
        segment_frames=SEGMENT_FRAMES,
    )


def make_frames(latents: Latents, seed: int = 0, mels: int = MELS) -> Packed:
    """Mix z1 and z2 of the segment around each frame into `mels` bands."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(2).normal(
        size=(latents.z1_mean.shape[1] + latents.z2_mean.shape[1], mels)
    )
    rows, lengths = [], []
    for _, segments in latents.slices():
        hidden = np.hstack([latents.z1_mean[segments], latents.z2_mean[segments]])
        frames = int(latents.starts[segments][-1]) + SEGMENT_FRAMES
        around = np.minimum(np.arange(frames) // SHIFT, len(hidden) - 1)
        rows.append(hidden[around] @ mixing + 0.1 * random.normal(size=(frames, mels)))
        lengths.append(frames)
    return Packed(
        rows=np.concatenate(rows).astype(np.float32),
        utterance_ids=latents.utterance_ids,
        offsets=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        lengths=np.array(lengths, dtype=np.int64),
    )


def write_frames(stem: Path, frames: Packed) -> None:
    """Write packed frames as the stage fbank does."""
    with PackedWriter(stem, "float32", frames.rows.shape[1:]) as writer:
        for utterance_id, rows in frames.items():
            writer.append(utterance_id, rows)


def write_ivectors(stem: Path, latents: Latents) -> None:
    """Write vectors that know the speaker, one row per utterance, as the stage ivector does."""
    turn = np.random.default_rng(3).normal(size=(latents.mu2.shape[1], RANK))
    with PackedWriter(stem, "float32", (RANK,)) as writer:
        for utterance_id, vector in zip(latents.utterance_ids, latents.mu2 @ turn, strict=True):
            writer.append(utterance_id, vector[None])


def write_all_ivectors(folder: Path, split: str, latents: Latents) -> None:
    """Write those that dev chose and those of each detector."""
    for detector in (".", "supervised", "vad30", "vad300"):
        write_ivectors(folder / detector / split, latents)


def make_pca(mels: int = MELS, dimensions: int = Z1) -> Pca:
    """Take any orthonormal directions of whole segments."""
    size = SEGMENT_FRAMES * mels
    directions, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(size, dimensions)))
    return Pca(np.zeros(size, np.float32), directions.astype(np.float32))


def write_others(folder: Path, by_split: Mapping[str, Sequence[Utterance]], segments: int) -> None:
    """Write PCA and latents that others are compared with, as baselines and controls do."""
    write_pca(folder / "baselines" / "pca" / PCA_FILE, make_pca())
    for other, noise in OTHER_MU2.items():
        for place, (split, utterances) in enumerate(by_split.items()):
            latents = make_latents(utterances, noise, segments, seed=100 + place)
            write_latents(folder / other / f"{split}.safetensors", latents)


def write_fake_run(
    folder: Path,
    speakers: dict[str, int],
    each: int,
    noise: float = 0.1,
    segments: int = 6,
    with_phones: bool = True,
) -> None:
    """Write what stages before the evaluation leave, of all splits."""
    utterances = [
        utterance
        for split, count in speakers.items()
        for utterance in make_utterances(split, count, each)
    ]
    samples = np.zeros(16_000 * (segments + 2) * SHIFT // 100, dtype=np.int16)
    write_corpus(
        folder / "corpus",
        (
            Recording(item, samples, alignment(item, segments) if with_phones else ())
            for item in utterances
        ),
    )
    for place, split in enumerate(speakers):
        own = [item for item in utterances if item.split == split]
        latents = make_latents(own, noise, segments, seed=place)
        write_latents(folder / "latents" / f"{split}.safetensors", latents)
        write_frames(folder / "fbank" / split, make_frames(latents, seed=place))
        write_all_ivectors(folder / "ivectors", split, latents)
        some = make_latents(own[: len(own) // 2], 0.8, segments, seed=place)
        write_latents(folder / "controls" / "pauses" / f"{split}.safetensors", some)
    by_split = {split: [one for one in utterances if one.split == split] for split in speakers}
    write_others(folder, by_split, segments)
