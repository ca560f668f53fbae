"""LibriSpeech: from any server to a local corpus, and every broken layout in one sentence."""

import dataclasses
import hashlib
import io
import logging
import shutil
import tarfile
import typing

import pandas as pd
import pytest

from fhvae.corpus.recipes import librispeech
from fhvae.corpus.store import read_corpus
from fhvae.errors import CorpusError, DownloadError, ParamsError
from fhvae.params.corpus import LibriSpeechPart
from fhvae.params.whole import load_params
from tests.hostile_server import Answer
from tests.published import numbered, run_download, served, tar_of, write_librispeech
from tests.stages.stage_runner import written

TRAIN, DEV = "train-clean-5", "dev-clean-2"
MINI = {
    "corpus.name": "librispeech",
    "corpus.librispeech.train": [TRAIN],
    "corpus.librispeech.dev": [DEV],
    "corpus.librispeech.test": [],
}
COUNTS = {TRAIN: 6, DEV: 10}  # utterances of the parts made here


def with_counts(counts):
    """The catalogue, as if parts had been published with so many utterances."""
    return librispeech.PARTS | {
        part: dataclasses.replace(librispeech.PARTS[part], utterances=count)
        for part, count in counts.items()
    }


@pytest.fixture(scope="session")
def archives(voices, tmp_path_factory):
    """The two archives of the mini set, by part."""
    found = {}
    for part, owners in {
        TRAIN: numbered(voices[:3], "19", "26", "32"),
        DEV: numbered(voices[3:8], "84", "174", "251", "422", "652"),
    }.items():
        top = tmp_path_factory.mktemp(part) / "LibriSpeech"
        found[part] = tar_of(write_librispeech(top, {part: owners}))
    return found


@pytest.fixture
def catalogue(monkeypatch, server, archives):
    """The published catalogue, with the addresses and checksums of `archives`."""

    def serve(*first, part=DEV):
        parts = dict(librispeech.PARTS)
        for name, content in archives.items():
            answers = first if name == part else ()
            archive = served(server, parts[name].archive, content, *answers)
            parts[name] = librispeech.Part(archive, COUNTS[name])
        monkeypatch.setattr(librispeech, "PARTS", parts)

    serve()
    return serve


def test_the_catalogue_has_every_part_that_params_allow():
    """With both checksums; sizes of parts are those of the whole corpus, 61 GB."""
    assert set(librispeech.PARTS) == set(typing.get_args(LibriSpeechPart))
    remotes = [part.archive.remote for part in librispeech.PARTS.values()]
    assert all(set(remote.checksums) == {"md5", "sha256"} for remote in remotes)
    assert len({digest for remote in remotes for digest in remote.checksums.values()}) == 18
    assert 61e9 < sum(remote.size for remote in remotes) < 62e9


def test_the_mini_set_is_downloaded_and_read(catalogue, server, monkeypatch, tmp_path, voices):
    metrics = run_download(monkeypatch, tmp_path, MINI)
    corpus = read_corpus(tmp_path / "data/corpus")
    by_id = {item.utterance_id: item for item in corpus.utterances}
    assert metrics["train"]["speakers"] == 3
    assert metrics["train"]["utterances"] == 6
    assert metrics["train"]["sessions"] == 6
    assert metrics["train"]["genders"] == {"M": 2, "F": 1}
    assert metrics["dev"]["speakers"] + metrics["test"]["speakers"] == 5
    first = by_id["19-100-0000"]
    assert (first.speaker, first.session, first.gender) == ("19", "19-100", "M")
    assert (first.text, first.split) == ("GOOD MORNING", "train")
    assert first.path == f"{TRAIN}/19/100/19-100-0000.flac"
    samples = dict(corpus.samples("train").items())
    assert (samples["26-101-0000"] == voices[1].takes[1]).all()
    assert sorted(path.name for path in (tmp_path / "corpora/librispeech").iterdir()) == [
        DEV, f"{DEV}.tar.gz", f"{DEV}.tar.gz.verified",
        TRAIN, f"{TRAIN}.tar.gz", f"{TRAIN}.tar.gz.verified",
    ]  # fmt: skip
    asked = len(server.log)
    before = written(tmp_path / "data")
    run_download(monkeypatch, tmp_path, MINI)
    assert len(server.log) == asked  # what is there is not asked for again
    assert written(tmp_path / "data") == before


def test_test_speakers_of_the_mini_set_are_drawn_by_the_seed(catalogue, monkeypatch, tmp_path):
    def test_speakers(seed):
        run_download(monkeypatch, tmp_path, MINI | {"corpus.seed": seed})
        corpus = read_corpus(tmp_path / "data/corpus")
        return {item.speaker for item in corpus.split("test")}

    first = test_speakers(0)
    assert len(first) == 2
    assert test_speakers(0) == first
    assert any(test_speakers(seed) != first for seed in range(1, 5))


@pytest.fixture(scope="session")
def whole(archives, tmp_path_factory):
    """What the stage writes where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("whole")
    corpora = folder / "corpora/librispeech"
    corpora.mkdir(parents=True)
    for part, content in archives.items():
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
            tar.extractall(corpora / part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(librispeech, "PARTS", with_counts(COUNTS))
        run_download(patch, folder, MINI)
    return written(folder / "data")


CUT = Answer(cut_after=9_000)
WRONG = Answer(flip=5_000)
PASSING = {  # faults that one run survives
    "cut": [CUT],
    "cut-twice": [CUT, Answer(cut_after=4_096)],
    "cut-then-from-the-start": [CUT, Answer(ranges=False)],
    "cut-then-another-range": [CUT, Answer(shift=7)],
    "wrong-byte": [WRONG],
    "chunked": [Answer(chunked=True)],
    "redirected": [Answer(redirect="/elsewhere.tar.gz")],
    "busy": [Answer(status=503)],
}
LASTING = {
    "always-cut": Answer(cut_after=0),
    "always-wrong": WRONG,
    "always-announced-too-long": Answer(announce=1_000),
    "always-announced-too-short": Answer(announce=-1_000),
    "redirected-to-nothing": Answer(redirect="/nothing"),
    "gone": Answer(status=404),
    "broken": Answer(status=500),
}


@pytest.mark.parametrize("case", PASSING)
def test_a_bad_server_gives_the_right_corpus(
    case, catalogue, server, archives, whole, monkeypatch, tmp_path
):
    catalogue(*PASSING[case])
    server.serve("/elsewhere.tar.gz", archives[DEV])
    run_download(monkeypatch, tmp_path, MINI)
    assert written(tmp_path / "data") == whole


@pytest.mark.parametrize("case", LASTING)
def test_a_hopeless_server_gives_one_sentence_and_a_restart_completes(
    case, catalogue, whole, monkeypatch, tmp_path
):
    catalogue(*[LASTING[case]] * 50)
    with pytest.raises(DownloadError, match=rf"must hold {DEV}\.tar\.gz .*no mirror") as caught:
        run_download(monkeypatch, tmp_path, MINI)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data/corpus").exists()
    assert not (tmp_path / f"corpora/librispeech/{DEV}").exists()
    catalogue()
    run_download(monkeypatch, tmp_path, MINI)
    assert written(tmp_path / "data") == whole


def test_what_lies_below_the_path_is_used_and_only_the_rest_downloaded(
    catalogue, server, monkeypatch, tmp_path, voices, caplog
):
    copied = tmp_path / "disk/speech/LibriSpeech"
    write_librispeech(copied, {TRAIN: numbered(voices[:3], "19", "26", "32")})
    with caplog.at_level(logging.INFO):
        run_download(monkeypatch, tmp_path, MINI | {"corpus.path": str(tmp_path / "disk")})
    assert {item.path for item in server.log} == {f"/{DEV}.tar.gz"}
    assert f"read {TRAIN} in {copied}" in caplog.text
    assert f"no unpacked {DEV}.tar.gz below {tmp_path / 'disk'}; it is downloaded" in caplog.text
    assert (tmp_path / f"disk/{DEV}/LibriSpeech/{DEV}/84").is_dir()
    assert not (tmp_path / "corpora").exists()


def test_an_archive_put_there_by_hand_is_unpacked(
    catalogue, server, archives, monkeypatch, tmp_path
):
    folder = tmp_path / "corpora/librispeech"
    folder.mkdir(parents=True)
    for part, content in archives.items():
        (folder / f"{part}.tar.gz").write_bytes(content)
    monkeypatch.setenv("FHVAE_OFFLINE", "1")
    assert run_download(monkeypatch, tmp_path, MINI)["train"]["utterances"] == 6
    assert server.log == []


def test_offline_the_message_says_what_to_put_where(catalogue, monkeypatch, tmp_path):
    monkeypatch.setenv("FHVAE_OFFLINE", "1")
    remote = librispeech.PARTS[TRAIN].archive.remote
    with pytest.raises(DownloadError, match="FHVAE_OFFLINE forbids downloads") as caught:
        run_download(monkeypatch, tmp_path, MINI)
    wanted = (remote.name, f"{remote.size} bytes", remote.sha256, remote.urls[0])
    for part in (*wanted, "corpora/librispeech must hold"):
        assert part in str(caught.value)


def test_a_mirror_is_asked_first_and_the_publisher_where_it_fails(
    catalogue, server, archives, monkeypatch, tmp_path
):
    server.serve(f"/mirror/{DEV}.tar.gz", archives[DEV])
    monkeypatch.setenv("FHVAE_MIRROR", f"{server.address}/mirror/")
    run_download(monkeypatch, tmp_path, MINI)
    asked = [item.path for item in server.log]
    assert asked == [
        f"/mirror/{TRAIN}.tar.gz", f"/{TRAIN}.tar.gz", f"/mirror/{DEV}.tar.gz",
    ]  # fmt: skip


def test_a_mirror_that_is_no_address_is_refused(catalogue, monkeypatch, tmp_path):
    monkeypatch.setenv("FHVAE_MIRROR", "disk/mirror")
    with pytest.raises(DownloadError, match="FHVAE_MIRROR must be the address of a folder"):
        run_download(monkeypatch, tmp_path, MINI)


def test_a_path_that_is_not_there_is_refused_before_gigabytes_go_there(
    catalogue, server, monkeypatch, tmp_path
):
    with pytest.raises(CorpusError, match=r"corpus\.path must name a folder, nowhere is none"):
        run_download(monkeypatch, tmp_path, MINI | {"corpus.path": "nowhere"})
    assert server.log == []


def test_an_archive_of_something_else_is_named(catalogue, server, archives, monkeypatch, tmp_path):
    parts = dict(librispeech.PARTS)
    wrong = served(server, parts[DEV].archive, archives[TRAIN])
    monkeypatch.setattr(librispeech, "PARTS", parts | {DEV: librispeech.Part(wrong, 10)})
    with pytest.raises(CorpusError, match=rf"{DEV}\.tar\.gz must hold {DEV}/\*/\*/\*\.flac"):
        run_download(monkeypatch, tmp_path, MINI)


# --- layouts --------------------------------------------------------------------------


@pytest.fixture
def publish(monkeypatch):
    """As if parts had been published with so many utterances."""
    return lambda counts: monkeypatch.setattr(librispeech, "PARTS", with_counts(counts))


@pytest.fixture
def unpacked(voices, tmp_path, publish):
    """LibriSpeech with both parts of the mini set."""
    publish(COUNTS)
    parts = {
        TRAIN: numbered(voices[:3], "19", "26", "32"),
        DEV: numbered(voices[3:8], "84", "174", "251", "422", "652"),
    }
    return write_librispeech(tmp_path / "LibriSpeech", parts)


def params_of(path, **changes):
    params = load_params().corpus
    wanted = {"train": (TRAIN,), "dev": (DEV,), "test": ()} | changes
    section = dataclasses.replace(params.librispeech, **wanted)
    return dataclasses.replace(params, name="librispeech", path=str(path), librispeech=section)


def read(top, **changes):
    return librispeech.read_librispeech(params_of(top, **changes))


def remove_speakers(top):
    (top / "SPEAKERS.TXT").unlink()


def forget_speaker(top):
    lines = (top / "SPEAKERS.TXT").read_text().splitlines()
    (top / "SPEAKERS.TXT").write_text("\n".join(line for line in lines if line[:3] != "84 "))


def spoil_sex(top):
    text = (top / "SPEAKERS.TXT").read_text()
    (top / "SPEAKERS.TXT").write_text(text.replace("26   | F", "26   | X"))


def remove_transcripts(top):
    (top / DEV / "84/100/84-100.trans.txt").unlink()


def empty_transcript(top):
    (top / DEV / "84/100/84-100.trans.txt").write_text("84-100-0000\n")


def remove_line(top):
    (top / DEV / "84/100/84-100.trans.txt").write_text("")


def remove_audio(top):
    (top / DEV / "84/100/84-100-0000.flac").unlink()


def rename(top):
    chapter = top / DEV / "84/100"
    (chapter / "84-100-0000.flac").rename(chapter / "9-100-0000.flac")
    (chapter / "84-100.trans.txt").write_text("9-100-0000 GOOD\n")


BROKEN = {
    "no-speakers": (remove_speakers, r"SPEAKERS\.TXT must be a readable file: No such file"),
    "unknown-speaker": (forget_speaker, r"SPEAKERS\.TXT must name speaker 84 of .*84/100"),
    "unknown-sex": (spoil_sex, r"SPEAKERS\.TXT line 4: must be `id \| M or F .*got '26   \| X"),
    "no-transcripts": (remove_transcripts, r"84-100\.trans\.txt must be a readable text file"),
    "empty-transcript": (empty_transcript, "utterance 84-100-0000 must have a text"),
    "no-line": (remove_line, r"utterance 84-100-0000 must have a line in .*84-100\.trans\.txt"),
    "no-audio": (remove_audio, r"utterance 84-100-0000 must have a file .*84-100-0000\.flac"),
    "wrong-name": (rename, r"9-100-0000\.flac must be named 84-100-<number>\.flac"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layout_is_named(name, unpacked):
    spoil, message = BROKEN[name]
    spoil(unpacked)
    with pytest.raises(CorpusError, match=message):
        read(unpacked)


def test_hidden_files_are_no_error(unpacked):
    """macOS leaves `._` files."""
    (unpacked / DEV / "84/100/._84-100-0000.flac").write_bytes(b"")
    assert len(read(unpacked).utterances) == 16


def test_separators_of_unicode_end_no_line(unpacked):
    (unpacked / DEV / "84/100/84-100.trans.txt").write_text("84-100-0000 GOOD\u2028MORNING\n")
    speakers = unpacked / "SPEAKERS.TXT"
    speakers.write_bytes(speakers.read_bytes().replace(b"Simon", "Si\x85mon".encode() + b"\xe9", 1))
    texts = {item.utterance_id: item.text for item in read(unpacked).utterances}
    assert texts["84-100-0000"] == "GOOD\u2028MORNING"
    assert len(texts) == 16


@pytest.mark.parametrize("published", [9, 11])
def test_a_part_that_holds_another_number_than_was_published_is_refused(
    published, unpacked, publish
):
    publish({DEV: published})
    with pytest.raises(
        CorpusError,
        match=rf"^{unpacked}/{DEV} must hold the {published} utterances that were published, it "
        rf"holds 10; delete {unpacked}/{DEV} so that it is unpacked again, .* manifest\.csv",
    ):
        read(unpacked)


def test_what_to_delete_is_the_folder_that_is_unpacked_again(catalogue, monkeypatch, tmp_path):
    """And doing as the message says mends it."""
    run_download(monkeypatch, tmp_path, MINI)
    unpacked = tmp_path / f"corpora/librispeech/{DEV}"
    shutil.rmtree(unpacked / f"LibriSpeech/{DEV}/84")
    with pytest.raises(CorpusError, match=f"delete corpora/librispeech/{DEV} so that it is"):
        run_download(monkeypatch, tmp_path, MINI)
    shutil.rmtree(unpacked)
    run_download(monkeypatch, tmp_path, MINI)
    assert (unpacked / f"LibriSpeech/{DEV}/84").is_dir()


def test_one_speaker_in_two_parts_is_refused(unpacked, publish):
    """Whatever the parts."""
    publish({"dev-clean": 2})
    shutil.copytree(unpacked / DEV / "84", unpacked / "dev-clean/84")
    with pytest.raises(CorpusError, match="utterance_id must be unique, 84-100-0000"):
        read(unpacked, test=("dev-clean",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": [DEV]}, "must name each part once, dev-clean-2 is there 2 times"),
        ({"train": [TRAIN, TRAIN]}, "must name each part once, train-clean-5 is there 2 times"),
        ({"train": []}, "corpus.librispeech.train must name a part"),
        (
            {"train": [TRAIN, "train-clean-100"]},
            "train-clean-5 is drawn from train-clean-100; name one of them",
        ),
        ({"test": ["dev-clean"]}, "dev-clean-2 is drawn from dev-clean; name one of them"),
        ({"dev": ["dev-dirty"]}, r"corpus.librispeech.dev\[0\] must be one of train-clean-100"),
        ({"alignments_sha256": "0" * 64}, "alignments must name a file for"),
        ({"alignments": "a.csv", "alignments_sha256": "abc"}, "must be 64 .* got 'abc'"),
    ],
)
def test_params_that_cannot_be_meant_are_refused(
    changes, message, catalogue, server, monkeypatch, tmp_path
):
    dotted = {f"corpus.librispeech.{key}": value for key, value in changes.items()}
    with pytest.raises(ParamsError, match=message):
        run_download(monkeypatch, tmp_path, MINI | dotted)
    assert server.log == []


# --- alignments -----------------------------------------------------------------------


@pytest.fixture
def alignments(voices, tmp_path):
    """Phones of the first take of speaker 19, and of an utterance of another part."""
    own = voices[0].phones[0].assign(utterance_id="19-100-0000")
    other = own.assign(utterance_id="1-1-0001")
    pd.concat([other, own]).to_csv(tmp_path / "phones.csv", index=False)
    return tmp_path / "phones.csv"


def test_an_alignment_made_elsewhere_gives_phones(alignments, unpacked, voices, caplog):
    digest = hashlib.sha256(alignments.read_bytes()).hexdigest()
    with caplog.at_level(logging.INFO):
        found = read(unpacked, alignments=str(alignments), alignments_sha256=digest)
    assert list(found.phones) == ["19-100-0000"]
    expected = voices[0].phones[0].phone.tolist()
    assert [phone.phone for phone in found.phones["19-100-0000"]] == expected
    said = [item for item in caplog.records if item.name == librispeech.__name__]
    assert [item.levelname for item in said] == ["WARNING"]  # since not all are aligned
    assert f"(sha256 {digest}) aligns 1 of 16 utterances" in said[0].getMessage()


def test_an_alignment_of_all_is_no_warning(alignments, unpacked, caplog):
    own = pd.read_csv(alignments).query("utterance_id == '19-100-0000'")
    names = [item.utterance_id for item in read(unpacked).utterances]
    pd.concat([own.assign(utterance_id=name) for name in names]).to_csv(alignments, index=False)
    with caplog.at_level(logging.INFO):
        assert len(read(unpacked, alignments=str(alignments)).phones) == 16
    said = [item for item in caplog.records if "aligns 16 of 16" in item.getMessage()]
    assert [item.levelname for item in said] == ["INFO"]


@pytest.mark.parametrize(("rows", "named"), [(slice(None), "1-1-0001"), (slice(0), "none")])
def test_an_alignment_that_fits_nothing_is_refused(rows, named, alignments, unpacked):
    """As where ids are written in another way; one of each side lets the reader see it."""
    table = pd.read_csv(alignments).query("utterance_id == '1-1-0001'")
    table[rows].to_csv(alignments, index=False)
    with pytest.raises(
        CorpusError,
        match=rf"phones\.csv must align utterances such as 19-100-0000, it aligns 0 of 16 and "
        rf"names {named}; name its utterances as the corpus does",
    ):
        read(unpacked, alignments=str(alignments))


def test_another_alignment_than_promised_is_refused(alignments, unpacked):
    found = hashlib.sha256(alignments.read_bytes()).hexdigest()
    with pytest.raises(CorpusError, match=rf"must have sha256 {'0' * 64} .*, found {found}"):
        read(unpacked, alignments=str(alignments), alignments_sha256="0" * 64)


def test_an_alignment_that_is_not_there_is_refused(unpacked):
    with pytest.raises(CorpusError, match=r"alignments must name a file, gone\.csv is none"):
        read(unpacked, alignments="gone.csv")


def test_an_alignment_beyond_the_recording_is_refused(alignments, catalogue, monkeypatch, tmp_path):
    """How long a recording is, is known when it is decoded."""
    table = pd.read_csv(alignments)
    table.loc[table.index[-1], "end_s"] = 9.0
    table.to_csv(alignments, index=False)
    changes = MINI | {"corpus.librispeech.alignments": str(alignments)}
    with pytest.raises(CorpusError, match="19-100-0000: alignment must end within the recording"):
        run_download(monkeypatch, tmp_path, changes)
