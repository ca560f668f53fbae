"""A recording may kill the process that decodes it: it is named, and everything else goes on.

What kills is a real signal in the real process. `soundfile` is put in its way by a module of that
name that goes first on its path: for a file that begins with DO it does what the file says.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fhvae.cli import found_files
from fhvae.corpus import audio, decoder
from fhvae.corpus.catalogue import decode
from fhvae.corpus.decoder import (
    WALL_S,
    end_decoders,
    look_at,
    read_audio,
    read_audio_and_rate,
    walk_over,
)
from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import Recording, Refused, Utterance
from fhvae.errors import CorpusError, WorkerError
from fhvae.parallel import release_workers
from fhvae.pretrained import load
from fhvae.recording import open_recording

ROOT = Path(__file__).resolve().parents[3]
RATE_HZ = 16_000
POSSESSED = """
import importlib.machinery, importlib.util, os, sys
from pathlib import Path

HERE = str(Path(__file__).parent)
spec = importlib.machinery.PathFinder.find_spec("soundfile", [p for p in sys.path if p != HERE])
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)
globals().update(vars(real))

class SoundFile(real.SoundFile):
    def __init__(self, file, *arguments, **options):
        content = os.pread(file, 1000, 0) if isinstance(file, int) else b""
        if content.startswith(b"DO "):
            exec(content[3:].decode())
        super().__init__(file, *arguments, **options)
"""
KILLS = {
    "segfault": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV"),
    "abort": ("import os; os.abort()", "crashed with SIGABRT"),
    "exit": ("import os; os._exit(3)", "ended with exit code 3"),
    "hang": ("import os, signal; os.kill(os.getpid(), signal.SIGALRM)", "took more than"),
    "loop": ("import os, signal; os.kill(os.getpid(), signal.SIGPROF)", "of the processor"),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "for lack of memory"),
    "memory": ("bytearray(10 << 30)", "took more memory than"),
}


@pytest.fixture(autouse=True)
def fresh():
    """Begin and end without processes: those of a test have its paths."""
    end_decoders()
    yield
    end_decoders()
    release_workers()


@pytest.fixture
def possessed(tmp_path, monkeypatch):
    """Have decoders that do what a file says; give a function that writes such a file."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "soundfile.py").write_text(POSSESSED)
    monkeypatch.syspath_prepend(folder)

    def write(path, kind):
        path.write_bytes(f"DO {KILLS[kind][0]}".encode())
        return path

    return write


def write_noise(path, seconds=0.1, seed=0):
    samples = np.random.default_rng(seed).integers(-900, 900, int(seconds * RATE_HZ))
    soundfile.write(path, samples.astype(np.int16), RATE_HZ)
    return path


def test_it_gives_what_its_code_gives(tmp_path):
    path = write_noise(tmp_path / "a.wav")
    samples, rate_hz = audio.samples_and_rate(path, 0.02, 0.06)
    found = read_audio_and_rate(path, "a", start_s=0.02, end_s=0.06)
    np.testing.assert_array_equal(found[0], samples)
    assert found[0].dtype == np.int16
    assert found[1] == rate_hz
    assert look_at(path) == audio.look_at(path)
    walked = list(walk_over(path)), list(audio.walk_over(path))
    for block, expected in zip(*walked, strict=True):
        np.testing.assert_array_equal(block, expected)


def test_one_process_serves_file_after_file_also_after_a_bad_one(tmp_path, monkeypatch):
    started = []
    begin = decoder._Decoder.__init__
    monkeypatch.setattr(decoder._Decoder, "__init__", lambda own: started.append(begin(own)))
    good = write_noise(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"no audio")
    for _ in range(3):
        read_audio(good, "a")
        look_at(good)
        list(walk_over(good))
        with pytest.raises(CorpusError, match=r"utterance b: .*b\.wav: must be an audio file"):
            read_audio(tmp_path / "b.wav", "b")
    assert len(started) == 1


@pytest.mark.parametrize("kind", KILLS)
def test_what_kills_it_is_named_and_the_next_file_is_read(tmp_path, possessed, kind, monkeypatch):
    monkeypatch.setattr(decoder, "TRIES", 1)
    bad, good = possessed(tmp_path / "bad.wav", kind), write_noise(tmp_path / "good.wav")
    with pytest.raises(CorpusError) as caught:
        read_audio(bad, "u7")
    assert str(caught.value).startswith(f"utterance u7: {bad}: must be audio that can be decoded")
    assert KILLS[kind][1] in str(caught.value)
    assert len(read_audio(good, "u8")) == 1600


@pytest.mark.parametrize(
    ("file", "cpu_s", "wall_s", "found"),
    [
        pytest.param("while True: pass", 0.2, 600, "of the processor", id="loops"),
        pytest.param(
            "import time; time.sleep(600)", 60, 0.2, f"took more than {WALL_S:.0f} s", id="waits"
        ),
    ],
)
@pytest.mark.timeout(120)  # or without the alarms it would wait for ever
def test_limits_are_those_of_the_kernel(
    tmp_path, possessed, monkeypatch, file, cpu_s, wall_s, found
):
    """The alarms that a decoder sets itself end it; here they are near."""
    (tmp_path / "a.wav").write_text(f"DO {file}")
    near = f"import fhvae.corpus.decoder as d; d.CPU_S, d.WALL_S = {cpu_s}, {wall_s}; d.serve()"
    monkeypatch.setattr(decoder, "START", decoder.START.replace("serve()", near))
    monkeypatch.setattr(decoder, "TRIES", 1)
    with pytest.raises(CorpusError, match=found):
        read_audio(tmp_path / "a.wav", "u")


def test_what_is_killed_once_is_tried_again(tmp_path, possessed):
    path, mark = tmp_path / "a.wav", tmp_path / "mark"
    path.write_text(
        f"DO import os; p = {str(mark)!r}\nif not os.path.exists(p): open(p, 'w'); os._exit(9)\n"
        f"file = {str(write_noise(tmp_path / 'real.wav'))!r}"
    )
    with pytest.raises(CorpusError, match="must be an audio file"):  # alive, and it is text
        read_audio(path, "u")
    assert mark.exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_corpus_quarantines_what_kills_and_keeps_the_rest(
    tmp_path, possessed, monkeypatch, workers
):
    monkeypatch.setenv("FHVAE_WORKERS", workers)
    rows, sources = [], {}
    for place, split in enumerate(["train"] * 6 + ["dev"] * 2 + ["test"] * 2):
        path = tmp_path / f"{place}.wav"
        write_noise(path, seed=place)
        rows.append(Utterance(str(place), path.name, f"s{place}", "", "", split, 0.0))
        sources[str(place)] = Source(path)
    possessed(sources["2"].file, "segfault")
    listed = Listing("here", tuple(rows), sources)
    found = list(decode(listed, "quarantine"))
    assert [one.utterance.utterance_id for one in found if isinstance(one, Refused)] == ["2"]
    assert sum(isinstance(one, Recording) for one in found) == 9
    with pytest.raises(CorpusError, match=r"utterance 2: .*crashed with SIGSEGV"):
        list(decode(listed, "refuse"))


def test_a_command_names_what_kills_and_does_the_other_files(tmp_path, possessed):
    write_noise(tmp_path / "a.wav", seconds=1.0)
    possessed(tmp_path / "b.wav", "segfault")
    command = [sys.executable, "-m", "fhvae", "embed", *map(str, found_files([str(tmp_path)]))]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "path"), str(ROOT)])}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 2
    assert f"error: {tmp_path / 'b.wav'}: must be audio that can be decoded" in done.stderr
    assert "Traceback" not in done.stderr
    assert "a.wav" in done.stdout


def test_a_long_recording_that_kills_on_its_way_is_named(tmp_path):
    path = write_noise(tmp_path / "a.wav", seconds=40.0)
    look_at(path)
    (at_work,) = decoder._idle
    blocks = walk_over(path)
    next(blocks)
    at_work._process.send_signal(signal.SIGSEGV)
    with pytest.raises(CorpusError, match="crashed with SIGSEGV"):
        list(blocks)


def test_recordings_may_be_walked_over_at_once_and_left_halfway(tmp_path):
    paths = [write_noise(tmp_path / f"{name}.wav", seconds=40.0, seed=name) for name in (1, 2)]
    walks = [open_recording(path).read() for path in paths]
    for walk, path in zip(walks, paths, strict=True):
        expected, _ = soundfile.read(path, dtype="float32")
        block = next(walk)
        np.testing.assert_array_equal(block[:, 0], expected[: len(block)])
    for walk in walks:
        walk.close()
    assert decoder._idle == []
    assert len(read_audio(paths[0], "u")) == 40 * RATE_HZ


def test_threads_get_their_own(tmp_path):
    paths = [write_noise(tmp_path / f"{place}.wav", seed=place) for place in range(4)]
    found = {}
    threads = [
        threading.Thread(target=lambda path=path: found.update({path: read_audio(path, "u")}))
        for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for path in paths:
        expected, _ = soundfile.read(path, dtype="int16")
        np.testing.assert_array_equal(found[path], expected)


def test_it_ends_with_its_asker(tmp_path):
    path = write_noise(tmp_path / "a.wav")
    script = (
        "import os, signal, sys; from pathlib import Path; from fhvae.corpus import decoder\n"
        f"decoder.read_audio(Path({str(path)!r}), 'u')\n"
        "print(decoder._idle[0]._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    orphan = int(done.stdout)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _is_alive(orphan):
        time.sleep(0.05)
    assert not _is_alive(orphan)


def _is_alive(process_id):
    try:
        return "State:\tZ" not in Path(f"/proc/{process_id}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_fork_does_not_ask_the_process_of_its_parent(tmp_path):
    path = write_noise(tmp_path / "a.wav")
    script = (
        "import os, sys; from pathlib import Path; from fhvae.corpus import decoder\n"
        f"path = Path({str(path)!r}); first = decoder.read_audio(path, 'u')\n"
        "child = os.fork()\n"
        "same = (decoder.read_audio(path, 'u') == first).all()\n"
        "if child == 0: os._exit(0 if same else 1)\n"
        "assert same and os.waitpid(child, 0)[1] == 0"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_process_that_cannot_start_says_so(tmp_path, monkeypatch):
    (tmp_path / "soundfile.py").write_text("raise ImportError('no library')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WorkerError, match="must start, it ended with exit code 1; python -c"):
        read_audio(write_noise(tmp_path / "a.wav"), "u")


def test_a_fault_of_ours_is_no_fault_of_the_file(tmp_path, possessed):
    path = tmp_path / "a.wav"
    path.write_bytes(b"DO 1 / 0")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        read_audio(path, "u")


def test_a_relative_path_is_that_of_whoever_asks(tmp_path, monkeypatch):
    read_audio(write_noise(tmp_path / "a.wav"), "u")  # the process has begun elsewhere
    monkeypatch.chdir(tmp_path)
    assert len(read_audio(Path("a.wav"), "u")) == 1600
    with pytest.raises(CorpusError, match=r"^utterance u: b\.wav: must be a readable file"):
        read_audio(Path("b.wav"), "u")


def test_what_a_mac_leaves_beside_a_recording_is_not_read(tmp_path, monkeypatch):
    """libsndfile took `._a.mp3`, and `._` where it works, for a part of the recording."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE_HZ), RATE_HZ, format="MP3")
    expected = read_audio(path, "u")
    for name in ("._a.mp3", "._"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(300))
    np.testing.assert_array_equal(read_audio(path, "u"), expected)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(CorpusError, match="must be a file, it is a folder, a pipe or a device"):
        read_audio(tmp_path / "a.wav", "u")


def test_a_name_in_no_encoding_is_found(tmp_path):
    path = write_noise(tmp_path / "a.wav").rename(tmp_path / os.fsdecode(b"\xff a.wav"))
    assert len(read_audio(path, "u")) == 1600


def test_what_is_shipped_embeds_through_it(tmp_path):
    """The model of the box hears a file and its samples alike."""
    path = write_noise(tmp_path / "a.wav", seconds=1.0)
    samples, rate_hz = soundfile.read(path, dtype="float32")
    model = load()
    np.testing.assert_array_equal(model.embed(path), model.embed(samples, rate_hz))


def test_samples_are_decoded_nowhere_else():
    """Who opens audio does so in the process that may die of it."""
    inside = {"fhvae/corpus/audio.py", "fhvae/corpus/containers/opening.py"}
    # what this project wrote itself: sounds between stages, which have digests, and its examples
    own = {"fhvae/report/run_page/kept.py", "experiments/heard.py"}
    opens = re.compile(
        r"SoundFile\((?!\s*keeping, .w.)|soundfile\.(read|blocks)|librosa\.(load|stream)"
        r"|wave\.open|wavfile|torchaudio\.load|audioread|corpus\.audio import .*(open|read)_audio"
    )
    found = {
        str(path.relative_to(ROOT))
        for top in ("fhvae", "stages", "experiments", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
        if opens.search(path.read_text())
    }
    assert found <= inside | own
    assert own <= found
