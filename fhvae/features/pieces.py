"""Samples -> normalized frames of a whole corpus, piece by piece: a killed run goes on.

<work>/raw/<split>.<shard>.<piece>.npy   log-mel frames of consecutive utterances, float32
<work>/out/                              what the stage leaves behind, shard by shard
<work>/sha256/<folder>.<file>            the digest of a file in one of the two
<work>.lock                              held by the run that works there

Pieces are computed in worker processes, then the statistics of train are taken over all of
its pieces, then each shard is normalized and written, and its pieces are deleted. Every file
appears whole; what a crash of the machine or a bad disk broke nevertheless is told by its digest
and computed again. Disk is that of the raw frames and one shard, memory that of a few utterances.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.features.extraction import Clip, Selection, dropped_table, frame_chunks
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import (
    Normalizer,
    estimate_normalizer,
    read_normalizer,
    write_normalizer,
)
from fhvae.files.atomic import file_digest, new_file, write_csv
from fhvae.files.packed import INDEX_COLUMNS, write_index
from fhvae.files.shards import SHARD_BYTES, RowFile, open_npy, plan_shards, shard_path
from fhvae.parallel import map_in_order, release_workers
from fhvae.params.fbank import FbankParams
from fhvae.portable import arithmetic

PIECE_BYTES = 64 << 20  # of raw frames: half an hour of speech, what a kill costs at most
NORMALIZED_FRAMES = 1 << 14  # at a time
DIGESTS = "sha256"  # a folder beside raw and out
PACKAGE = Path(__file__).parents[1]  # the folder fhvae
CODE = (  # that decides a byte of what is left behind, or how it is cut until then
    "files/atomic.py",
    "files/packed.py",
    "files/shards.py",
    "features/extraction.py",
    "features/fbank.py",
    "features/normalize.py",
    "features/pieces.py",
)
LIBRARIES = ("numpy", "pandas", "scipy", "librosa")


@dataclass(frozen=True)
class Piece:
    """Consecutive utterances whose raw frames lie in one file."""

    path: Path
    clips: tuple[Clip, ...]


@dataclass(frozen=True)
class Shard:
    """A file of normalized frames, and the pieces that it is made of."""

    path: Path
    pieces: tuple[Piece, ...]


def fingerprint(selections: Sequence[Selection], params: FbankParams) -> str:
    """Name all that decides a run of the extraction, in 16 hexadecimal digits."""
    clips = [clip for item in selections for clip in (*item.kept, *item.dropped)]
    files = sorted({shard_path(clip.stem, clip.shard) for clip in clips})
    listed = hashlib.sha256()
    for clip in clips:
        facts = (clip.stem.name, clip.utterance_id, clip.shard, clip.offset, clip.length)
        listed.update(f"{facts}\n".encode())
    course = {
        "params": dataclasses.asdict(params),
        "clips": listed.hexdigest(),
        "kept": [len(item.kept) for item in selections],
        "samples": list(map_in_order(file_digest, files, "hash samples", "file")),
        "code": [file_digest(PACKAGE / name) for name in CODE],
        "versions": [metadata.version(name) for name in LIBRARIES],
        "arithmetic": arithmetic(),
        "bytes": [SHARD_BYTES, PIECE_BYTES],
    }
    return hashlib.sha256(json.dumps(course, sort_keys=True).encode()).hexdigest()[:16]


def extract(work: Path, selections: Sequence[Selection], params: FbankParams) -> Path:
    """Compute what `work` does not hold yet.

    Returns:
        The folder to be moved to its place: `<split>.npy/.csv`, normalizer.json, dropped.csv.

    Raises:
        CorpusError: a mel band is the same in all frames of train.
    """
    raw, out = work / "raw", work / "out"
    for folder in (raw, out, work / DIGESTS):
        folder.mkdir(parents=True, exist_ok=True)
        for half_written in folder.glob(".*"):
            half_written.unlink()
    plans = {item.split: plan(item, raw, out, params) for item in selections}
    discard_broken(plans, out / "normalizer.json")
    for split, shards in plans.items():
        write_pieces(split, shards, params)
    release_workers()
    normalizer = _train_normalizer(out / "normalizer.json", plans["train"])
    for item in selections:
        for shard in plans[item.split]:
            write_shard(shard, normalizer, params)
        write_index(out / item.split, _index(item.kept))
    write_csv(out / "dropped.csv", dropped_table(selections))
    return out


def plan(selection: Selection, raw: Path, out: Path, params: FbankParams) -> list[Shard]:
    """Decide which utterances go to which piece and which shard, before any is computed."""
    lengths = [clip.frames for clip in selection.kept]
    stored = np.dtype(params.store).itemsize * params.mels
    return [
        Shard(
            shard_path(out / selection.split, number),
            tuple(
                Piece(raw / f"{selection.split}.{number}.{place}.npy", clips)
                for place, clips in enumerate(_cut(selection.kept[own.start : own.stop], params))
            ),
        )
        for number, own in enumerate(plan_shards(lengths, stored))
    ]


def _cut(clips: Sequence[Clip], params: FbankParams) -> Iterator[tuple[Clip, ...]]:
    """Cut the utterances of a shard into pieces; one that reaches `PIECE_BYTES` ends there."""
    most = PIECE_BYTES / (np.dtype(np.float32).itemsize * params.mels)
    first, frames = 0, 0
    for position, clip in enumerate(clips, 1):
        frames += clip.frames
        if frames >= most or position == len(clips):
            yield tuple(clips[first:position])
            first, frames = position, 0


@contextmanager
def kept(path: Path) -> Iterator[Path]:
    """Give a temporary file to write to, for a later run to go on from: on the disk, with digest.

    The digest gets its place first. A kill between the two leaves it beside no file, or beside
    an older one of the same content, as all that decides it is in the name of the folder.
    """
    with new_file(path) as partial_path:
        yield partial_path
        with new_file(_digest_path(path)) as digest:
            digest.write_text(file_digest(partial_path), encoding="ascii")


def _digest_path(path: Path) -> Path:
    """Name the digest of `<work>/raw/<file>` or `<work>/out/<file>`: not in what is left behind."""
    return path.parent.with_name(DIGESTS) / f"{path.parent.name}.{path.name}"


def is_whole(path: Path) -> bool:
    """Tell whether a file is, byte by byte, what `kept` gave its name to."""
    try:
        return _digest_path(path).read_bytes() == file_digest(path).encode()
    except FileNotFoundError:
        return False


def discard_broken(plans: Mapping[str, Sequence[Shard]], normalizer: Path) -> None:
    """Delete what is not as an earlier run left it, by a crash of the machine or a bad disk."""
    for shard in (shard for shards in plans.values() for shard in shards):
        for path in (shard.path, *(piece.path for piece in shard.pieces)):
            if path.exists() and not is_whole(path):
                logging.warning("%s is broken and computed again", path)
                path.unlink()
    made_with_it = [normalizer, *(shard.path for shard in plans["train"])]
    if not is_whole(normalizer) and any(path.exists() for path in made_with_it):
        logging.warning(
            "%s is gone or broken; it and the frames of train are computed again", normalizer
        )
        for path in made_with_it:
            path.unlink(missing_ok=True)


def write_pieces(split: str, shards: Sequence[Shard], params: FbankParams) -> None:
    """Compute the pieces that are not there, in worker processes."""
    missing = [
        piece
        for shard in shards
        if not shard.path.exists()
        for piece in shard.pieces
        if not piece.path.exists()
    ]
    clips = [clip for piece in missing for clip in piece.clips]
    total = sum(len(piece.clips) for shard in shards for piece in shard.pieces)
    done = total - len(clips)
    if done:
        logging.info("log-mel %s: going on after %d of %d utterances", split, done, total)
    if not clips:
        return
    work = partial(_clip_frames, params)
    with closing(map_in_order(work, clips, f"log-mel {split}", done=done)) as frames:
        for piece in missing:
            _write_piece(piece, islice(frames, len(piece.clips)), params.mels)
        next(frames, None)  # the bar comes to its end


def _clip_frames(params: FbankParams, clip: Clip) -> np.ndarray:
    return log_mel(clip.samples(), params)


def _write_piece(piece: Piece, frames: Iterable[np.ndarray], mels: int) -> None:
    with kept(piece.path) as partial_path:
        with RowFile(partial_path, "float32", (mels,)) as file:
            for rows in frames:
                file.append(rows)
        assert file.rows == sum(clip.frames for clip in piece.clips), piece.path


def _train_normalizer(path: Path, shards: Sequence[Shard]) -> Normalizer:
    """Estimate the normalizer from all pieces of train, or read what an earlier run found."""
    if not path.exists():
        raw = (_frames(piece) for shard in shards for piece in shard.pieces)
        normalizer = estimate_normalizer(frame_chunks(raw))
        with kept(path) as partial_path:
            write_normalizer(partial_path, normalizer)
    return read_normalizer(path)


def _frames(piece: Piece) -> np.ndarray:
    return open_npy(piece.path)


def write_shard(shard: Shard, normalizer: Normalizer, params: FbankParams) -> None:
    """Normalize the frames of a shard, unless an earlier run did; delete its pieces."""
    if not shard.path.exists():
        with (
            kept(shard.path) as partial_path,
            RowFile(partial_path, params.store, (params.mels,)) as file,
        ):
            for piece in shard.pieces:
                frames = _frames(piece)
                for start in range(0, len(frames), NORMALIZED_FRAMES):
                    file.append(normalizer.apply(frames[start : start + NORMALIZED_FRAMES]))
    for piece in shard.pieces:
        piece.path.unlink(missing_ok=True)


def _index(clips: Sequence[Clip]) -> pd.DataFrame:
    lengths = [clip.frames for clip in clips]
    offsets = [end - length for end, length in zip(accumulate(lengths), lengths, strict=True)]
    names = [clip.utterance_id for clip in clips]
    return pd.DataFrame(dict(zip(INDEX_COLUMNS, (names, offsets, lengths), strict=True)))
