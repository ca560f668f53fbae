"""VCTK 0.92: newspaper sentences in many accents of English (datashare.ed.ac.uk/handle/10283/3443).

speaker-info.txt                                ID AGE GENDER ACCENTS REGION COMMENTS
wav48_silence_trimmed/p225/p225_001_mic1.flac   48 kHz; mic2: the same through another microphone
txt/p225/p225_001.txt                           what is said; the text of p315 was lost

110 speakers, about 400 sentences each, one session per speaker. Sentences 1 to 24 are the same
for everybody; equal texts tell them. No split is published: whole speakers are drawn by seed.
Some recordings exist through one microphone only (mic2 failed for p280 and p315); there the
other is taken.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import Utterance, assign_splits, check_splits
from fhvae.corpus.recipes.published import Archive, home, incomplete, lines_in_any_encoding, obtain
from fhvae.errors import CorpusError
from fhvae.fetch.remote import RemoteFile
from fhvae.files.atomic import regular
from fhvae.params.corpus import CorpusParams
from fhvae.seeds import generator

AUDIO = "wav48_silence_trimmed"
NAME = re.compile(r"(\w+)_(mic[12])")
SPEAKERS = 110  # README of the archive; how many recordings there are, it does not say
UNKNOWN = "Unknown"  # accent of a speaker who was not asked
ARCHIVE = Archive(
    # md5 and size: the record of the file at DataShare. sha256: torchaudio, datasets/vctk.py.
    RemoteFile(
        "VCTK-Corpus-0.92.zip",
        (
            "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
            "https://datashare.ed.ac.uk/server/api/core/bitstreams/"
            "535f4286-e54c-4038-838c-a02285e32cb2/content",
            "https://datashare.is.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
        ),
        size=11_747_302_977,
        sha256="f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
        md5="8a6ba2946b36fcbef0212cad601f4bfa",
    ),
    f"{AUDIO}/*/*.flac",
)

log = logging.getLogger(__name__)


def read_vctk(params: CorpusParams) -> Listing:
    """Obtain the archive and list what it holds.

    Raises:
        DownloadError, CorpusError: it cannot be had, or its layout is not the published one.
        TrialError: a split has fewer than two speakers.
    """
    return list_utterances(obtain(ARCHIVE, home(params)), params)


def list_utterances(top: Path, params: CorpusParams) -> Listing:
    """List one recording of every utterance.

    Args:
        top: the folder that holds the audio, txt and speaker-info.txt.
        params: section `corpus`.
    """
    recorded = _recorded(top, params.vctk.microphone)
    speakers = {path.parent.name for path in recorded.values()}
    if len(speakers) != SPEAKERS:
        raise incomplete(ARCHIVE, home(params), top, "speakers", SPEAKERS, len(speakers))
    utterances = list(_read_utterances(top, recorded))
    random = generator(params.seed, "splits")
    utterances = assign_splits(utterances, params.dev_fraction, params.test_fraction, random)
    check_splits(utterances, str(top))
    sources = {item.utterance_id: Source(top / item.path) for item in utterances}
    return Listing(str(top), tuple(utterances), sources)


def _recorded(top: Path, microphone: str) -> dict[str, Path]:
    """Choose a file for every utterance, by id: that of the microphone where there is one."""
    chosen: dict[str, Path] = {}
    for path in sorted((top / AUDIO).glob("*/[!.]*.flac")):
        match = NAME.fullmatch(path.stem)
        if match is None or not match[1].startswith(f"{path.parent.name}_"):
            raise CorpusError(
                f"{path} must be named {path.parent.name}_<number>_mic1.flac or _mic2.flac"
            )
        if match[2] == microphone or match[1] not in chosen:
            chosen[match[1]] = path
    other = sum(not path.stem.endswith(microphone) for path in chosen.values())
    if other:
        log.info("%d of %d utterances lack %s; the other is taken", other, len(chosen), microphone)
    return chosen


def _read_utterances(top: Path, recorded: Mapping[str, Path]) -> Iterator[Utterance]:
    """Add what is known of the speakers and what they said."""
    speakers = read_speakers(top / "speaker-info.txt")
    silent = 0
    for name, path in recorded.items():
        speaker = path.parent.name
        if speaker not in speakers:
            raise CorpusError(f"{top / 'speaker-info.txt'} must name speaker {speaker} of {path}")
        gender, accent = speakers[speaker]
        text = _read_text(top / "txt" / speaker / f"{name}.txt")
        silent += not text
        relative = path.relative_to(top).as_posix()
        yield Utterance(name, relative, speaker, gender, text, "", 0.0, dialect=accent)
    unheard = {path.stem for path in (top / "txt").glob("*/[!.]*.txt")} - recorded.keys()
    if silent or unheard:
        log.warning(
            "%d of %d utterances have no text in %s, and %d texts there no recording%s",
            silent, len(recorded), top / "txt", len(unheard),
            f", the first is {min(unheard)}" if unheard else "",
        )  # fmt: skip


def _read_text(path: Path) -> str:
    """Read what is said; "" where it was lost."""
    try:
        return " ".join(regular(path).read_text(encoding="utf-8").split())
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} must be a readable text file in UTF-8: {error}") from error


def read_speakers(path: Path) -> dict[str, tuple[str, str]]:
    """Read gender (M or F) and accent ("" where unknown) of each speaker.

    The accent is the first word after the gender: no mark tells where it ends and the region
    begins.

    Raises:
        CorpusError: the file is missing, or a line has no gender.
    """
    found = {}
    for number, line in enumerate(lines_in_any_encoding(path), start=1):
        speaker, *words = line.split() or ["ID"]
        if speaker == "ID":  # the header; or an empty line
            continue
        gender = next((word for word in words if word in ("M", "F")), None)
        if gender is None:
            raise CorpusError(
                f"{path} line {number}: speaker {speaker} must have gender M or F, "
                f"got {' '.join(words)!r}"
            )
        accent = [*words[words.index(gender) + 1 :], ""][0]
        found[speaker] = (gender, "" if accent == UNKNOWN else accent)
    return found
