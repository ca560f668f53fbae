"""Corpus name -> its recordings: listed, decoded in worker processes, held against the list.

A new corpus is one new module in `recipes` and one case in `listing`. A recording that cannot be
used ends the run, or (`corpus.bad_audio: quarantine`) is handed on by name with its reason.
"""

import hashlib
import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from fhvae.corpus.decoder import read_audio_and_rate
from fhvae.corpus.listing import DURATION_TOLERANCE_S, Listing, Source
from fhvae.corpus.manifest import SAMPLE_RATE_HZ, SPLITS, Recording, Refused, Utterance, in_split
from fhvae.errors import CorpusError
from fhvae.parallel import map_in_order
from fhvae.params.corpus import CorpusParams

QUARANTINE = "quarantine"

log = logging.getLogger(__name__)


def recordings(params: CorpusParams) -> Generator[Recording | Refused, None, None]:
    """Give the recordings of the corpus that `corpus.name` names, split by split.

    Args:
        params: section `corpus`; its seed decides the split where the corpus leaves it open,
            and every voice of a synthetic one.
    """
    if params.name == "espeak":
        from fhvae.corpus.espeak import generate

        yield from generate.recordings(params.espeak, params.seed)
    else:
        yield from decode(listing(params), params.bad_audio)


def listing(params: CorpusParams) -> Listing:
    """List a recorded corpus; a published one is downloaded where it is not there."""
    match params.name:
        case "manifest":
            from fhvae.corpus.recipes.folder import read_folder

            return read_folder(params)
        case "timit":
            from fhvae.corpus.recipes.timit import read_timit

            return read_timit(params)
        case "librispeech":
            from fhvae.corpus.recipes.librispeech import read_librispeech

            return read_librispeech(params)
        case "speechocean762":
            from fhvae.corpus.recipes.speechocean762 import read_speechocean762

            return read_speechocean762(params)
        case "vctk":
            from fhvae.corpus.recipes.vctk import read_vctk

            return read_vctk(params)
    raise ValueError(f"{params.name} has no listing")


@dataclass(frozen=True)
class Order:
    """A recording to decode."""

    where: str
    utterance: Utterance
    source: Source


@dataclass(frozen=True)
class Decoded:
    """Samples `[sample]` int16 at 16 kHz, and the rate of their file in Hz."""

    samples: np.ndarray
    rate_hz: int


def decode(listed: Listing, bad_audio: str) -> Generator[Recording | Refused, None, None]:
    """Decode a corpus, ordered by split and utterance id.

    Args:
        listed: what there is of the corpus.
        bad_audio: "refuse": the first unusable recording ends the run; "quarantine": it is
            yielded as `Refused`.

    Raises:
        CorpusError: a recording is unusable, or two speakers share one.
    """
    ordered = [item for split in SPLITS for item in in_split(listed.utterances, split)]
    orders = [Order(listed.where, item, listed.sources[item.utterance_id]) for item in ordered]
    # closed on the way out of an error, so that the progress bar ends before the message
    with closing(map_in_order(_try_decode, orders, "decode")) as found:
        decoded = (
            _joined(listed, utterance, one) for utterance, one in zip(ordered, found, strict=True)
        )
        for item in without_copies(decoded, listed.where):
            if isinstance(item, Refused):
                if bad_audio != QUARANTINE:
                    raise CorpusError(item.reason)
                log.warning("left out: %s", item.reason)
            yield item


def _joined(listed: Listing, utterance: Utterance, found: Decoded | str) -> Recording | Refused:
    """Put the samples beside what is known of the utterance."""
    name = utterance.utterance_id
    if isinstance(found, str):
        return Refused(utterance, found)
    return Recording(
        utterance,
        found.samples,
        listed.phones.get(name, ()),
        listed.transcripts.get(name),
        listed.words.get(name, ()),
        found.rate_hz,
    )


def _try_decode(order: Order) -> Decoded | str:
    """Decode, or say why not."""
    try:
        return _decode(order)
    except CorpusError as error:
        return str(error)


def _decode(order: Order) -> Decoded:
    """Read the samples of an utterance and hold them against its duration, where it is known."""
    utterance, source = order.utterance, order.source
    samples, rate_hz = read_audio_and_rate(
        source.file, utterance.utterance_id, start_s=source.start_s, end_s=source.end_s
    )
    duration_s = len(samples) / SAMPLE_RATE_HZ
    promised_s = utterance.duration_s
    if promised_s and abs(duration_s - promised_s) > DURATION_TOLERANCE_S:
        raise CorpusError(
            f"{order.where}: duration_s of {utterance.utterance_id} must be within "
            f"{DURATION_TOLERANCE_S:g} s of its file, got {promised_s:g}, "
            f"{utterance.path} lasts {duration_s:.3f} s"
        )
    return Decoded(samples, rate_hz)


class Copies:
    """Recordings whose samples came before."""

    def __init__(self) -> None:
        self._first: dict[bytes, Utterance] = {}

    def original(self, recording: Recording) -> Utterance | None:
        """Name the utterance that held these samples before; None where they are new."""
        digest = hashlib.sha256(recording.samples.tobytes()).digest()
        known = self._first.setdefault(digest, recording.utterance)
        return None if known is recording.utterance else known


def without_copies(
    items: Iterable[Recording | Refused], where: str
) -> Iterator[Recording | Refused]:
    """Refuse one recording under two speakers; splits share no speaker, so none leaks.

    Copies of one speaker are kept, with a warning: their trial tells nothing.
    """
    found, copies = Copies(), 0
    for item in items:
        known = found.original(item) if isinstance(item, Recording) else None
        if known is not None:
            utterance = item.utterance
            names = f"{known.utterance_id} ({known.split}) and {utterance.utterance_id}"
            files = f" ({known.path}, {utterance.path})" if known.path else ""
            if known.speaker != utterance.speaker:
                raise CorpusError(
                    f"{where}: speakers must not share a recording, {names} "
                    f"({utterance.split}) hold the same samples{files}"
                )
            copies += 1
            if copies == 1:
                log.warning("%s hold the same samples%s; one of them adds nothing", names, files)
        yield item
    if copies > 1:
        log.warning("%d recordings hold the samples of another, the first was named", copies)
