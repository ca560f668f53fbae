"""LibriSpeech: read audiobooks in English, by speaker and chapter (openslr.org/12 and /31).

LibriSpeech/SPEAKERS.TXT                                          id | sex | ...
LibriSpeech/dev-clean/84/121123/84-121123-0000.flac               16 kHz
LibriSpeech/dev-clean/84/121123/84-121123.trans.txt               one line per utterance

A chapter is a session: it was read in one sitting, before one microphone. Phones are not
published with it; an alignment made elsewhere may be given as a file.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import (
    PHONE_COLUMNS,
    Phone,
    Utterance,
    check_splits,
    move_speakers,
    read_lines,
    read_table,
)
from fhvae.corpus.recipes.folder import read_phones
from fhvae.corpus.recipes.published import (
    Archive,
    home,
    incomplete,
    lines_in_any_encoding,
    obtain,
    openslr,
)
from fhvae.errors import CorpusError
from fhvae.fetch.remote import RemoteFile
from fhvae.files.atomic import file_digest
from fhvae.params.corpus import CorpusParams, LibriSpeechParams
from fhvae.seeds import generator

SEXES = ("M", "F")
TEST_SHARE = 0.5  # of the speakers of dev, where no part is named for test

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of LibriSpeech, and how many utterances were published in it."""

    archive: Archive
    utterances: int


def _part(
    name: str, resource: int, size: int, md5: str, sha256: str, utterances: int
) -> tuple[str, Part]:
    file = f"{name}.tar.gz"
    remote = RemoteFile(file, openslr(resource, file), size=size, sha256=sha256, md5=md5)
    return name, Part(Archive(remote, f"{name}/*/*/*.flac"), utterances)


# md5: md5sum.txt of openslr.org/12 and /31. Sizes: kaldi, egs/librispeech/s5/local/
# download_and_untar.sh. sha256 of /12: torchaudio, datasets/librispeech.py. Size and sha256 of
# /31: as computed by several projects from files whose md5 was right.
PARTS = dict(
    [
        _part(
            "train-clean-100", 12, 6_387_309_499,
            "2a93770f6d5c6c964bc36631d331a522",
            "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
            28_539,
        ),
        _part(
            "train-clean-360", 12, 23_049_477_885,
            "c0e676e450a7ff2f54aeade5171606fa",
            "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
            104_014,
        ),
        _part(
            "train-other-500", 12, 30_593_501_606,
            "d1a0fd59409feb2c614ce4d30c387708",
            "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
            148_688,
        ),
        _part(
            "dev-clean", 12, 337_926_286,
            "42e2234ba48799c1f50f24a7926300a1",
            "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
            2_703,
        ),
        _part(
            "dev-other", 12, 314_305_928,
            "c8d0bcc9cca99d4f8b62fcc847357931",
            "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
            2_864,
        ),
        _part(
            "test-clean", 12, 346_663_984,
            "32fa31d27d2e1cad72775fee3f4849a9",
            "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
            2_620,
        ),
        _part(
            "test-other", 12, 328_757_843,
            "fb5a50374b501bb3bac4815ee91d3135",
            "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
            2_939,
        ),
        _part(
            "train-clean-5", 31, 332_954_390,
            "5df7d4e78065366204ca6845bb08f490",
            "47805806c8b15f7549f3c51bd6b7da72ec0128a34d32830c8014a88658c0292d",
            1_519,
        ),
        _part(
            "dev-clean-2", 31, 126_046_265,
            "6d7ab67ac6a1d2c993d050e16d61080d",
            "176ec501490eced2d6c1f89f4f0ddc7dfe799e649e5322f8ba49fe3ff50c8012",
            1_089,
        ),
    ]
)  # fmt: skip


def read_librispeech(params: CorpusParams, seed: int) -> Listing:
    """Obtain the parts that the splits ask for, and list what they hold.

    Raises:
        DownloadError, CorpusError: a part cannot be had, or its layout is not the published one.
        TrialError: a split has fewer than two speakers.
    """
    folder = home(params)
    splits = _splits(params.librispeech)
    tops = {
        part: obtain(PARTS[part].archive, folder) for parts in splits.values() for part in parts
    }
    return list_utterances(tops, params, seed)


def _splits(params: LibriSpeechParams) -> dict[str, Sequence[str]]:
    return {"train": params.train, "dev": params.dev, "test": params.test}


def list_utterances(tops: Mapping[str, Path], params: CorpusParams, seed: int) -> Listing:
    """List the utterances of all splits.

    Args:
        tops: of each part the folder that holds it and SPEAKERS.TXT.
        params: section `corpus`.
        seed: of the run; draws the test speakers where no part is named for test.
    """
    splits = _splits(params.librispeech)
    folder = home(params)
    found = {
        item: tops[part]
        for split, parts in splits.items()
        for part in parts
        for item in _read_part(tops[part], part, split, folder)
    }
    sources = {item.utterance_id: Source(top / item.path) for item, top in found.items()}
    utterances = list(found)
    if not splits["test"]:
        random = generator(seed, "splits")
        utterances = move_speakers(utterances, "dev", "test", TEST_SHARE, random)
    where = str(folder)
    check_splits(utterances, where)
    phones = _read_alignments(params.librispeech, utterances)
    return Listing(where, tuple(utterances), sources, phones)


def _read_part(top: Path, part: str, split: str, folder: Path) -> list[Utterance]:
    """Read the utterances of a part, which was sought below a folder, sorted by path."""
    sexes = read_speakers(top / "SPEAKERS.TXT")
    found = [
        utterance
        for chapter in sorted((top / part).glob("*/*/"))
        for utterance in _read_chapter(top, chapter, sexes, split)
    ]
    published = PARTS[part]
    if len(found) != published.utterances:
        raise incomplete(
            published.archive, folder, top / part,
            "utterances", published.utterances, len(found),
        )  # fmt: skip
    return found


def read_speakers(path: Path) -> dict[str, str]:
    """Read the sex of each speaker, M or F, from SPEAKERS.TXT; its last column is a name.

    Raises:
        CorpusError: the file is missing, or a line is of another kind.
    """
    sexes = {}
    for number, line in enumerate(lines_in_any_encoding(path), start=1):
        if line.startswith(";") or not line.strip():
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) < 2 or fields[1] not in SEXES:
            raise CorpusError(
                f"{path} line {number}: must be `id | M or F | ...`, got {line.strip()!r}"
            )
        sexes[fields[0]] = fields[1]
    return sexes


def _read_chapter(
    top: Path, chapter: Path, sexes: Mapping[str, str], split: str
) -> Iterator[Utterance]:
    """Read a chapter of one speaker; audio and transcripts must name the same utterances."""
    speaker, session = chapter.parent.name, f"{chapter.parent.name}-{chapter.name}"
    if speaker not in sexes:
        raise CorpusError(f"{top / 'SPEAKERS.TXT'} must name speaker {speaker} of {chapter}")
    path = chapter / f"{session}.trans.txt"
    texts = dict(_read_text(line, path) for line in read_lines(path) if line.strip())
    recorded = {file.stem for file in chapter.glob("[!.]*.flac")}
    for name in sorted(recorded ^ texts.keys()):
        missing = f"a line in {path}" if name in recorded else f"a file {chapter / name}.flac"
        raise CorpusError(f"utterance {name} must have {missing}; unpack the archive again")
    for name in sorted(recorded):
        if not name.startswith(f"{session}-"):
            raise CorpusError(f"{chapter / name}.flac must be named {session}-<number>.flac")
        relative = (chapter / f"{name}.flac").relative_to(top).as_posix()
        yield Utterance(
            name, relative, speaker, sexes[speaker], texts[name], split, 0.0, session=session
        )


def _read_text(line: str, path: Path) -> tuple[str, str]:
    """Take the id off a line of a transcript."""
    name, _, text = line.strip().partition(" ")
    if not text:
        raise CorpusError(f"{path}: utterance {name} must have a text, it has none")
    return name, text


def _read_alignments(
    params: LibriSpeechParams, utterances: Sequence[Utterance]
) -> dict[str, tuple[Phone, ...]]:
    """Read the file of phone times, if one is given; it may know more utterances than we do."""
    if params.alignments is None:
        return {}
    path = Path(params.alignments)
    if not path.is_file():
        raise CorpusError(f"corpus.librispeech.alignments must name a file, {path} is none")
    found = file_digest(path)
    if params.alignments_sha256 not in (None, found):
        raise CorpusError(
            f"{path} must have sha256 {params.alignments_sha256} "
            f"(corpus.librispeech.alignments_sha256), found {found}"
        )
    phones = read_phones(path, utterances, known_only=False)
    if not phones:
        named = read_table(path, PHONE_COLUMNS)["utterance_id"].tolist()
        raise CorpusError(
            f"{path} must align utterances such as {utterances[0].utterance_id}, it aligns 0 of "
            f"{len(utterances)} and names {named[0] if named else 'none'}; name its utterances "
            "as the corpus does, or set corpus.librispeech.alignments to null"
        )
    log.log(
        logging.INFO if len(phones) == len(utterances) else logging.WARNING,
        "%s (sha256 %s) aligns %d of %d utterances", path, found, len(phones), len(utterances),
    )  # fmt: skip
    return phones
