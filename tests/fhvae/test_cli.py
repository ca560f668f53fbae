"""The command: files in, files out, and one sentence where one cannot be used."""

import csv
import io
import json
import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from fhvae.cli import do, found_files, parser
from fhvae.errors import ArtifactError, CorpusError
from tests.fhvae.test_pretrained import files, folder, model  # noqa: F401  (fixtures)


@pytest.fixture
def fhvae(folder):  # noqa: F811
    def run(command, *arguments):
        typed = [command, *map(str, arguments), "--model", str(folder / "model")]
        do(parser().parse_args(typed))

    return run


@pytest.fixture
def bad(tmp_path):
    """Files that cannot be used: text, silence, 30 ms; one is not there."""
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "short.wav", 0.1 * np.ones(480), 16000)
    return [tmp_path / name for name in ("text.wav", "silence.wav", "short.wav", "none.wav")]


def read_rows(path):
    with path.open() as file:
        return list(csv.reader(file))


def test_voices_are_written_in_three_formats(fhvae, model, files, tmp_path):  # noqa: F811
    wanted = model.embed(files)
    for end in ("csv", "npz", "safetensors"):
        fhvae("embed", *files, "-o", tmp_path / f"v.{end}")
    header, *rows = read_rows(tmp_path / "v.csv")
    assert header == ["file", "mu2_0", "mu2_1"]
    assert [row[0] for row in rows] == [str(path) for path in files]
    assert np.allclose(np.array([row[1:] for row in rows], float), wanted, atol=1e-6)
    with np.load(tmp_path / "v.npz") as found:
        assert found["names"].tolist() == [str(path) for path in files]
        assert np.array_equal(found["mu2"], wanted)
    assert np.array_equal(load_file(tmp_path / "v.safetensors")["mu2"], wanted)


def test_latents_have_a_row_a_segment(fhvae, model, files, tmp_path):  # noqa: F811
    fhvae("latents", *files[:2], "-o", tmp_path / "l.csv")
    header, *rows = read_rows(tmp_path / "l.csv")
    assert header == ["file", "time_s", "z1_0", "z1_1", "z1_2", "z2_0", "z2_1"]
    first, second = (model.encode(path) for path in files[:2])
    assert len(rows) == len(first.z1) + len(second.z1)
    assert np.allclose(np.array(rows[len(first.z1)][1:], float)[1:4], second.z1[0], atol=1e-6)


def test_scores_are_printed(fhvae, model, files, capsys):  # noqa: F811
    fhvae("score", files[0], files[1], files[2])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "file,cosine"
    assert lines[2] == f"{files[2]},{model.score(files[0], files[2]):.4f}"


def test_one_file_becomes_a_file_and_several_a_folder(fhvae, files, tmp_path):  # noqa: F811
    fhvae("convert", files[0], "--to", files[2], files[3], "-o", tmp_path / "a.flac")
    fhvae("denoise", *files[:2], "-o", tmp_path / "clean")
    fhvae("swap", files[0], "--voice", files[2], "-o", tmp_path / "s.wav")
    assert soundfile.info(tmp_path / "a.flac").frames == soundfile.info(files[0]).frames
    assert sorted(path.name for path in (tmp_path / "clean").iterdir()) == [
        f"{path.stem}.wav" for path in files[:2]
    ]


def test_what_a_killed_command_left_beside_its_output_goes(fhvae, files, tmp_path):  # noqa: F811
    (tmp_path / "out").mkdir()
    names = [".v.csv.01234567.tmp", f"out/.{files[0].stem}.wav.01234567.tmp"]
    others = [".w.csv.01234567.tmp", "out/.w.wav.01234567.tmp"]
    for name in (*names, *others):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    fhvae("embed", files[0], "-o", tmp_path / "v.csv")
    fhvae("denoise", *files[:2], "-o", tmp_path / "out")
    assert [name for name in (*names, *others) if (tmp_path / name).exists()] == others


def test_a_bad_file_is_named_and_the_others_are_done(fhvae, files, bad, tmp_path, capsys):  # noqa: F811
    with pytest.raises(SystemExit) as ended:
        fhvae("embed", bad[0], files[0], *bad[1:], files[1], "-o", tmp_path / "v.csv")
    assert ended.value.code == 2
    assert len(read_rows(tmp_path / "v.csv")) == 3
    told = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(told) == len(bad)
    for path, line in zip(bad, told, strict=True):
        assert str(path) in line
    with pytest.raises(SystemExit) as ended:
        fhvae("convert", *bad, files[0], "--to", files[1], "-o", tmp_path / "out")
    assert ended.value.code == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{files[0].stem}.wav"]


@pytest.mark.parametrize(
    "typed",
    [
        "convert {a} {b} --to {bad} -o out",
        "denoise {a} {b} --clean {bad} -o out",
        "score {bad} {a} {b}",
    ],
)
def test_a_bad_voice_to_compare_with_or_to_take_ends_it(
    fhvae,
    files,  # noqa: F811
    bad,
    tmp_path,
    monkeypatch,
    typed,
):
    monkeypatch.chdir(tmp_path)
    named = {"a": files[0], "b": files[1], "bad": bad[1]}
    with pytest.raises(CorpusError, match=r"silence\.wav: must hold sound"):
        fhvae(*(word.format(**named) for word in typed.split()))
    assert not (tmp_path / "out").exists()


def test_names_in_a_list_of_scores_are_cells_and_no_orders_to_a_terminal(
    fhvae,
    files,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
):
    own = tmp_path / 'b,"\x1b[31m.wav'
    shutil.copy(files[1], own)
    fhvae("score", files[0], own)
    (_, (name, _)) = csv.reader(capsys.readouterr().out.splitlines())
    assert name == str(own)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for command in (["score", files[0], own], ["embed", own], ["latents", own]):
        fhvae(*command)
        told = capsys.readouterr().out
        assert r"\x1b[31m" in told
        assert "\x1b" not in told


@pytest.mark.parametrize("command", [["embed"], ["latents"], ["score", "a.wav"]])
def test_a_name_that_no_table_holds_is_told_and_the_others_are_done(
    fhvae,
    files,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
    command,
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(files[0], "a.wav")
    shutil.copy(files[1], os.fsdecode(b"b\xff.wav"))
    with pytest.raises(SystemExit):
        fhvae(*command, os.fsdecode(b"b\xff.wav"), "a.wav")
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("a.wav,")
    assert r"error: b\udcff.wav: its name must be UTF-8 to stand in a table, it is not" in err


def test_names_that_cannot_be_written_are_told(fhvae, files, tmp_path):  # noqa: F811
    with pytest.raises(Exception, match=r"must end with \.csv, \.npz, \.safetensors"):
        fhvae("embed", files[0], "-o", tmp_path / "v.txt")
    with pytest.raises(Exception, match=r"must end with \.wav or \.flac"):
        fhvae("denoise", files[0], "-o", tmp_path / "a.mp3")
    twin = tmp_path / "twin" / files[0].name
    twin.parent.mkdir()
    twin.write_bytes(files[0].read_bytes())
    with pytest.raises(CorpusError, match="would be written twice"):
        fhvae("denoise", files[0], twin, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    "typed",
    [
        "denoise a.wav -o a.wav",
        "denoise a.wav b.wav -o .",
        "denoise a.wav --clean b.wav -o b.wav",
        "denoise a.wav -o link.wav",
        "convert a.wav --to voice -o voice/b.wav",
        "convert voice/a.wav b.wav --to voice/b.wav -o voice",
        "swap a.wav --voice b.wav -o a.wav",
        "swap a.wav --voice b.wav -o voice/../b.wav",
    ],
)
def test_nothing_that_is_read_is_written_over(fhvae, files, tmp_path, monkeypatch, typed):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    for name, given in zip(("a.wav", "b.wav", "voice/a.wav", "voice/b.wav"), files, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(given, tmp_path / name)
    (tmp_path / "link.wav").symlink_to("a.wav")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.wav")}
    with pytest.raises(ArtifactError, match="must be another file than those that are read"):
        fhvae(*typed.split())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.wav")} == before


def test_no_table_is_written_over_what_it_is_of(fhvae, files, folder, tmp_path):  # noqa: F811
    shutil.copy(files[0], tmp_path / "a.csv")
    weights = folder / "model/model.safetensors"
    before = weights.read_bytes()
    for command, out in (("embed", tmp_path / "a.csv"), ("latents", weights)):
        with pytest.raises(ArtifactError, match="another file than those that are read"):
            fhvae(command, tmp_path / "a.csv", "-o", out)
    assert (tmp_path / "a.csv").read_bytes() == files[0].read_bytes()
    assert weights.read_bytes() == before


@pytest.mark.slow
def test_what_is_shown_needs_somewhere_to_be_shown(folder, files):  # noqa: F811
    """Streams that are closed, or of another encoding than names are."""
    odd = files[0].with_name("日\r本.wav")
    shutil.copy(files[0], odd)
    embed = f"{sys.executable} -m fhvae embed {shlex.quote(str(odd))} --model {folder / 'model'}"
    try:
        closed = shell(f"{embed} >&-")
        assert closed.returncode == 2
        assert closed.stderr.startswith(b"error: standard output must be open, it is closed")
        assert shell(f"{embed} 2>&-").returncode == 0
        found = shell(f"PYTHONIOENCODING=ascii {embed}")
    finally:
        odd.unlink()
    assert found.returncode == 0
    (_, row) = csv.reader(io.StringIO(found.stdout.decode(), newline=""))
    assert row[0] == str(odd).replace("日", r"\u65e5").replace("本", r"\u672c")


def shell(line):
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False)


def test_what_is_refused_is_one_line(fhvae, files, tmp_path, capsys, monkeypatch):  # noqa: F811
    source = tmp_path / "x\x1b[31my\nz.wav"
    shutil.copy(files[0], source)

    def refuse(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fhvae.files.atomic.flush_to_disk", refuse)
    with pytest.raises(SystemExit):
        fhvae("denoise", source, "-o", tmp_path / "out")
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert told.endswith(r"out/x\x1b[31my\nz.wav: No space left on device")


def test_a_folder_that_a_glob_may_not_look_into_is_told(files, tmp_path, monkeypatch):  # noqa: F811
    (tmp_path / "closed").mkdir()
    look = os.scandir

    def scandir(path):  # root may look into every folder
        if os.fspath(path) == str(tmp_path / "closed"):
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for pattern in ("**/*.wav", "*/*.wav", "closed/*.wav"):
        with pytest.raises(PermissionError):
            found_files([str(tmp_path / pattern)])
    (tmp_path / "closed/open").mkdir()  # of a folder on the way nobody need read the names
    shutil.copy(files[0], tmp_path / "closed/open")
    assert found_files([str(tmp_path / "closed/open/*.wav")])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["train", "f", "-o", "m", "--epochs", "0"],
            "must be a whole number of at least 1, got '0'",
        ),
        (["embed", "a.wav", "-o", ""], "must be a name, got an empty one"),
    ],
)
def test_what_an_option_must_be_is_told(capsys, typed, said):
    with pytest.raises(SystemExit):
        parser().parse_args(typed)
    assert said in capsys.readouterr().err


def test_an_empty_name_is_no_folder():
    with pytest.raises(CorpusError, match="must have a name, one of those given is empty"):
        found_files(["a.wav", ""])


def test_files_globs_and_folders(files, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(files[0].parent)
    assert found_files([str(files[0].parent)]) == files
    assert [path.resolve() for path in found_files(["*-1.wav"])] == files[1::2]
    assert found_files([str(files[0]), str(files[0])]) == [files[0]]
    with pytest.raises(CorpusError, match="must match a file"):
        found_files(["*.nothing"])


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="from there on ** beside letters is a glob")
def test_what_is_no_glob_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=r"\*\*\.wav must be a glob, it is none"):
        found_files(["**.wav"])


def test_what_a_model_is(fhvae, capsys):
    fhvae("info")
    told = capsys.readouterr().out
    assert "lstm, 1 x 6" in told
    assert "corpus       not recorded" in told


def test_words_of_a_stranger_are_no_orders_to_a_terminal(folder, tmp_path, capsys):  # noqa: F811
    strange = shutil.copytree(folder / "model", tmp_path / "model")
    told = json.loads((strange / "config.json").read_text())
    told["origin"]["data"] = "calm\x1b[2J\nlicence      free"
    (strange / "config.json").write_text(json.dumps(told))
    options = parser().parse_args(["info", "--model", str(strange)])
    options.use(options)
    assert r"data         calm\x1b[2J\nlicence      free" in capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_the_command_ends_with_2_and_one_sentence(folder, bad):  # noqa: F811
    command = [sys.executable, "-m", "fhvae", "embed", str(bad[1]), "--model", folder / "model"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        f"error: {bad[1]}: must hold sound, every sample is 0 in 16 bits (or the channels cancel)"
    ]


def test_import_fhvae_loads_nothing():
    code = "import fhvae, sys; print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
