"""Damaged tables and archives of every corpus: a list that holds, or one sentence.

`make fuzz` tries 10,000 of each reader's.
"""

import dataclasses
import io
import math
import shutil
import tarfile
import zipfile
from collections import Counter

import pytest

from fhvae.acoustics.noises import read_noise_manifest
from fhvae.corpus.recipes import librispeech, speechocean762, vctk
from fhvae.corpus.recipes.folder import read_tables
from fhvae.corpus.recipes.timit import read_phones, read_text, read_words
from fhvae.errors import FhvaeError
from fhvae.fetch.unpack import unpack
from fhvae.params.whole import load_params
from tests.fuzz.damage import BYTES, SEED, check_sentence, damaged, examples, random_of
from tests.published import (
    numbered,
    tone_voices,
    write_librispeech,
    write_speechocean762,
    write_vctk,
)
from tests.timit_disc import few_voices, write_disc
from tests.tones import write_tone_corpus

pytestmark = pytest.mark.timeout(6 * 3600)  # of the long run
PARAMS = load_params().corpus
FEW = 60  # examples of a kind, where nobody asks for more


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    return tone_voices(tmp_path_factory.mktemp("voices") / "tones", 9)


def tables_of_a_manifest(folder, voices):
    write_tone_corpus(folder, {"train": 3, "dev": 2, "test": 2}, utterances=2, seconds=0.2)
    names = (folder / "manifest.csv").read_text().splitlines()[1:]
    lines = [f"{row.split(',')[0]} HH AH0_I" for row in names]
    (folder / "canonical_phones.txt").write_text("\n".join(lines) + "\n")
    tables = ["manifest.csv", "phones.csv", "canonical_phones.txt"]
    return tables, lambda: [read_tables(folder, PARAMS)]


def tables_of_kaldi(folder, voices):
    write_tone_corpus(folder, {"train": 3, "dev": 2, "test": 2}, utterances=2, seconds=0.2)
    rows = [row.split(",") for row in (folder / "manifest.csv").read_text().splitlines()[1:]]
    (folder / "manifest.csv").unlink()
    genders = {row[2]: row[3].lower() for row in rows}
    lists = {
        "wav.scp": [f"r-{row[0]} {row[1]}" for row in rows],
        "segments": [f"{row[0]} r-{row[0]} 0.0 -1" for row in rows],
        "utt2spk": [f"{row[0]} {row[2]}" for row in rows],
        "utt2dur": [f"{row[0]} 0.2" for row in rows],
        "text": [f"{row[0]} {row[4]}" for row in rows],
        "spk2gender": [f"{name} {gender}" for name, gender in genders.items()],
    }
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return list(lists), lambda: [read_tables(folder, PARAMS)]


def tables_of_timit(folder, voices):
    where = next(write_disc(folder, few_voices()[:3]).glob("TRAIN/*/*"))
    name = next(path.stem for path in sorted(where.glob("SI*.PHN")))
    tables = [str((where / f"{name}.{kind}").relative_to(folder)) for kind in ("PHN", "WRD", "TXT")]

    def read():
        phones, words = read_phones(where / f"{name}.PHN"), read_words(where / f"{name}.WRD")
        check_times(phones)
        assert all(0 <= word.start_s < word.end_s < math.inf for word in words)
        assert read_text(where / f"{name}.TXT")
        return []

    return tables, read


def tables_of_librispeech(folder, voices):
    owners = numbered(voices[:5], "84", "174", "251", "422", "652")
    write_librispeech(folder, {"dev-clean-2": owners})
    params = dataclasses.replace(
        PARAMS,
        librispeech=dataclasses.replace(
            PARAMS.librispeech, train=("dev-clean-2",), dev=(), test=()
        ),
    )
    chapter = "dev-clean-2/84/100/84-100.trans.txt"
    part = dataclasses.replace(librispeech.PARTS["dev-clean-2"], utterances=10)
    catalogue = librispeech.PARTS | {"dev-clean-2": part}

    def read():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(librispeech, "PARTS", catalogue)
            patch.setattr(librispeech, "check_splits", lambda *_: None)  # a part alone
            return [librispeech.list_utterances({"dev-clean-2": folder}, params)]

    return ["SPEAKERS.TXT", chapter], read


def tables_of_vctk(folder, voices):
    owners = numbered(voices[:7], *(f"p{number}" for number in range(225, 232)))
    write_vctk(folder, {name: ("English Surrey", one) for name, one in owners.items()})
    text = next(path for path in sorted(folder.glob("txt/*/*.txt")))

    def read():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vctk, "SPEAKERS", 7)
            return [vctk.list_utterances(folder, PARAMS)]

    return ["speaker-info.txt", str(text.relative_to(folder))], read


def tables_of_speechocean762(folder, voices):
    halves = {"train": voices[:5], "test": voices[5:8]}
    numbers = {"train": ("0003", "0036", "0135", "0157", "0201"), "test": ("0001", "0024", "0411")}
    write_speechocean762(
        folder,
        {
            half: {name: (20, one) for name, one in numbered(own, *numbers[half]).items()}
            for half, own in halves.items()
        },
    )
    published = dataclasses.replace(PARAMS.speechocean762, adults_only=True, split="published")
    params = dataclasses.replace(PARAMS, speechocean762=published)
    names = ("wav.scp", "utt2spk", "text", "spk2gender", "spk2age")
    tables = [*(f"train/{name}" for name in names), "resource/text-phone"]

    def read():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(speechocean762, "HALVES", {"train": 10, "test": 6})
            return [speechocean762.list_utterances(folder, params)]

    return tables, read


def tables_of_noises(folder, voices):
    folder.mkdir()
    rows = ["noise_id,path,class"]
    for name in ("rain", "wind", "sea"):
        (folder / f"{name}.wav").touch()
        rows.append(f"{name},{name}.wav,weather")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")

    def read():
        found = read_noise_manifest(folder)
        assert len({one.noise_id for one in found}) == len(found) > 0
        return []

    return ["manifest.csv"], read


LAYOUTS = {
    "manifest": tables_of_a_manifest,
    "kaldi": tables_of_kaldi,
    "timit": tables_of_timit,
    "librispeech": tables_of_librispeech,
    "vctk": tables_of_vctk,
    "speechocean762": tables_of_speechocean762,
    "noises": tables_of_noises,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_damaged_table_gives_a_list_or_one_sentence(name, voices, tmp_path, caplog):
    caplog.set_level("ERROR")
    folder = tmp_path / "corpus"
    tables, read = LAYOUTS[name](folder, voices)
    whole = {table: (folder / table).read_bytes() for table in tables}
    for one in read():
        check_listing(one, folder)
    outcomes, faults = Counter(), {}
    for number in examples(FEW):
        random = random_of(name, number)
        table = random.choice(tables)
        (folder / table).write_bytes(damaged(whole[table], list(whole.values()), random))
        try:
            outcomes[outcome_of(read, folder)] += 1
        except Exception as error:
            kept = shutil.copy(folder / table, tmp_path / f"{number}")
            faults[number] = f"{table}, kept as {kept}: {error!r}"
        (folder / table).write_bytes(whole[table])
    print(SEED, name, dict(outcomes))
    assert faults == {}
    assert outcomes["refused"]


def outcome_of(read, folder):
    try:
        for one in read():
            check_listing(one, folder)
    except FhvaeError as error:
        check_sentence(error, folder)
        return "refused"
    return "list"


def check_listing(listed, folder):
    ids = [one.utterance_id for one in listed.utterances]
    assert len(set(ids)) == len(ids) > 0
    for one in listed.utterances:
        assert one.utterance_id
        assert "/" not in one.utterance_id
        assert one.utterance_id.isprintable()
        assert one.speaker
        assert one.speaker.isprintable()
        assert 0 <= one.duration_s < math.inf
        source = listed.sources[one.utterance_id]
        assert source.file.is_file()
        assert source.start_s is None or 0 <= source.start_s < math.inf
        assert source.end_s is None or source.start_s < source.end_s < math.inf
    for phones in listed.phones.values():
        check_times(phones)
    for phones in listed.transcripts.values():
        assert all(phone and phone.isprintable() for phone in phones)


def check_times(phones):
    end = 0.0
    for phone in phones:
        assert end - 1e-6 <= phone.start_s < phone.end_s < math.inf
        end = phone.end_s


def archives():
    """Give whole archives of every kind."""
    files = {"a/b.wav": b"RIFF" * 99, "a/c.txt": b"words", "d.csv": b"1,2\n"}
    found = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=mode) as tar:
            for name, content in files.items():
                header = tarfile.TarInfo(name)
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
        found.append(file.getvalue())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        found.append(file.getvalue())
    return found


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_damaged_archive_gives_files_inside_its_folder_or_one_sentence(tmp_path):
    whole, archive, outcomes = archives(), tmp_path / "a.archive", Counter()
    faults = {}
    for number in examples(FEW):
        random = random_of("archive", number)
        archive.write_bytes(damaged(random.choice(whole), whole, random, BYTES))
        try:
            outcomes[unpacked(archive, tmp_path / "out")] += 1
        except Exception as error:
            faults[number] = repr(error)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
    print(SEED, dict(outcomes))
    assert faults == {}
    assert outcomes["files"]
    assert outcomes["refused"]


def unpacked(archive, folder):
    try:
        unpack(archive, folder)
        found = "files"
    except FhvaeError as error:
        check_sentence(error, archive)
        found = "refused"
    assert set(archive.parent.iterdir()) <= {archive, folder}
    for path in folder.rglob("*"):
        assert path.is_dir() or (path.is_file() and not path.is_symlink())
    return found
