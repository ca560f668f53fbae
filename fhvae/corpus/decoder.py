"""Audio is decoded in a process of its own, which may die of it.

libsndfile and what it stands on are written in C, and recordings come from strangers: one that
crashes the decoder, runs in circles or eats the memory must cost a sentence with its name, not
the run. So whoever wants samples asks a process that does nothing else (`serve`, below), under
limits of time and memory; when it dies, the file is tried once more in a fresh one, and what
kills that too is named as any bad file is. A process is kept for the next file, and ends when
its asker does: its input then ends.

A question is a line of JSON; an answer is a line of JSON and the bytes of an array. Nothing is
unpickled: what comes back is numbers and text, whatever the file has made of the decoder. A cage
it is not: it may still do what its user may (SECURITY.md).
"""

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from fhvae.corpus import audio
from fhvae.errors import CorpusError, WorkerError

# Limits of one answer: a whole utterance, or a block of a long recording. The kernel keeps them,
# within C too. An hour at 192 kHz, the most there may be, takes 33 s of a processor and 6 GB.
CPU_S, WALL_S = 300.0, 1800.0
MEMORY_BYTES = 8 << 30  # of address space beyond what the process has at its start
OOM_FIRST = "1000"  # of oom_score_adj, the most: short of memory, the system ends this one first
TRIES = 2  # a process may be killed for another's sake; a file that kills two is at fault
# Threads would take address space, and there is nothing for them to do. glibc comes to these two
# thresholds by itself, but late: until then it maps the memory of every file again.
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
START = "import sys, json; sys.path[:] = json.loads(sys.argv[1])"
START += "; from fhvae.corpus.decoder import serve; serve()"
SIGNALS = {  # that end it, in words
    signal.SIGPROF: f"it took more than {CPU_S:.0f} s of the processor",
    signal.SIGALRM: f"it took more than {WALL_S:.0f} s",
    signal.SIGKILL: "it was killed, most often for lack of memory",
}

Answer = tuple[dict[str, Any], np.ndarray]


def read_audio(path: Path, name: str, noun: str = "utterance") -> np.ndarray:
    """Read a whole recording as `read_audio_and_rate` does, `[sample]` int16, without its rate."""
    return read_audio_and_rate(path, name, noun)[0]


def read_audio_and_rate(
    path: Path,
    name: str,
    noun: str = "utterance",
    start_s: float | None = None,
    end_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """Read one recording, or a part of it.

    Args:
        path: of one of `fhvae.corpus.containers.opening.CONTAINERS`.
        name: id of the recording, for messages.
        noun: what it is a recording of, for messages.
        start_s, end_s: the part to read, in seconds; None for the ends of the file.

    Returns:
        `[sample]` int16 at `fhvae.corpus.manifest.SAMPLE_RATE_HZ`, and the rate of the file in Hz.

    Raises:
        CorpusError: the file is unreadable, cut short, empty, silent throughout, has unequal
            channels, an unusable rate, samples that are no numbers, does not hold the part, or
            the decoder dies of it.
        WorkerError: no process can be started to decode.
    """
    with audio.named(f"{noun} {name}: {path}"):
        facts, samples = _first_answer("read", path, start_s, end_s)
    return samples, int(facts["rate_hz"])


def look_at(path: Path) -> audio.Facts:
    """Look at a recording of any length and number of channels; all of it must be there.

    Raises:
        CorpusError: it is missing, no audio file, cut short or empty, or the decoder dies of it.
        WorkerError: no process can be started to decode.
    """
    return audio.Facts(**_first_answer("look", path)[0])


def walk_over(path: Path) -> Iterator[np.ndarray]:
    """Walk over a recording, `[sample, channel]` float32 at a time.

    Raises:
        CorpusError: it cannot be read to its end, or the decoder dies of it.
        WorkerError: no process can be started to decode.
    """
    for _, block in _answers("walk", path):
        yield block


def end_decoders() -> None:
    """End the idle processes; each holds the libraries it has imported."""
    while _idle:
        _idle.pop().end()


class DiedError(CorpusError):
    """A file was too much for the process that decodes; says how."""

    def __init__(self, told: str) -> None:
        super().__init__(
            f"must be audio that can be decoded, the decoder did not survive it ({told}); "
            "leave it out, or decode it to wav with another program"
        )


def _end_in_words(code: int) -> str:
    """Say how a process ended, by its exit code as `subprocess` gives it."""
    if code >= 0:
        return f"it ended with exit code {code}"
    found = signal.Signals(-code)
    return SIGNALS.get(found, f"it crashed with {found.name}")


class _Decoder:
    """A process that decodes, seen from outside; ready to be asked."""

    def __init__(self) -> None:
        paths = [*sys.path, str(Path(__file__).resolve().parents[2])]  # where this package is
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, json.dumps(paths)],  # -P: nothing of this folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries in C print what they think of a file
            env=os.environ | VARIABLES,
        )
        self._questions = cast(IO[bytes], self._process.stdin)
        self._answers = cast(BufferedReader, self._process.stdout)
        try:
            self._head()  # it has imported what it needs
        except DiedError as error:
            code = self._process.wait()
            self.end()
            raise WorkerError(
                f"a process that decodes audio must start, {_end_in_words(code)}; python -c "
                "'import fhvae.corpus.decoder, soundfile, soxr' says why"
            ) from error

    def ask(self, task: str, *arguments: object) -> Iterator[Answer]:
        """Ask, and walk over the answers.

        Raises:
            CorpusError: the file cannot be used.
            DiedError: it was too much for the process.
        """
        with suppress(BrokenPipeError):  # it is dead, which the answer will show
            self._questions.write(json.dumps([task, *arguments]).encode() + b"\n")
            self._questions.flush()
        while "end" not in (head := self._head()):
            if "refused" in head:
                raise CorpusError(head["refused"])
            if "memory" in head:
                raise DiedError("it took more memory than it may or there is")
            if "fault" in head:
                raise RuntimeError(f"in the process that decodes:\n{head['fault']}")
            values = np.empty(head.pop("shape"), head.pop("dtype"))
            room: Any = values.reshape(-1).view(np.uint8)
            if self._answers.readinto(room) < values.nbytes:
                raise DiedError(_end_in_words(self._process.wait()))
            yield head, values

    def end(self) -> None:
        """End it, at work or not."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._questions.close()
        self._answers.close()
        self._process.wait()

    def _head(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise DiedError(_end_in_words(self._process.wait()))
        found: dict[str, Any] = json.loads(line)
        return found


_idle: list[_Decoder] = []
os.register_at_fork(after_in_child=_idle.clear)  # they answer the parent


@contextmanager
def _borrowed() -> Iterator[_Decoder]:
    """Take an idle process, or start one; it is kept for the next file if it is in order."""
    try:
        decoder = _idle.pop()
    except IndexError:
        decoder = _Decoder()
    try:
        yield decoder
    except BaseException as error:
        if isinstance(error, CorpusError) and not isinstance(error, DiedError):
            _idle.append(decoder)  # all was said
        else:
            decoder.end()
        raise
    _idle.append(decoder)


def _answers(task: str, path: Path, *arguments: object) -> Iterator[Answer]:
    with _borrowed() as decoder:
        yield from decoder.ask(task, str(path.absolute()), *arguments)


def _first_answer(task: str, path: Path, *arguments: object) -> Answer:
    """Ask what has one answer; of a process that dies, once more."""
    for _ in range(TRIES - 1):
        with suppress(DiedError):
            (answer,) = _answers(task, path, *arguments)
            return answer
    (answer,) = _answers(task, path, *arguments)
    return answer


# What follows runs in the process that decodes.


def _read(path: str, start_s: float | None, end_s: float | None) -> Iterator[Answer]:
    samples, rate_hz = audio.samples_and_rate(Path(path), start_s, end_s)
    yield {"rate_hz": rate_hz}, samples


def _look(path: str) -> Iterator[Answer]:
    yield asdict(audio.look_at(Path(path))), np.empty(0, np.float32)


def _walk(path: str) -> Iterator[Answer]:
    for block in audio.walk_over(Path(path)):
        yield {}, block


TASKS: dict[str, Callable[..., Iterator[Answer]]] = {"read": _read, "look": _look, "walk": _walk}


def serve() -> None:
    """Answer questions until there are no more."""
    import soundfile  # noqa: F401  (imported now, so that its absence shows at the start)
    import soxr  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the asker, whose end ends this
    for ends in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(ends, signal.SIG_DFL)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    os.chdir("/")  # libsndfile reads a file `._` of the folder that it is in
    _limit_memory()
    _tell(answers, {"ready": True})
    answers.flush()
    for line in sys.stdin.buffer:
        task, *arguments = json.loads(line)
        with suppress(BrokenPipeError):  # the asker is gone, and so will be this
            _answer(TASKS[task](*arguments), answers)
            answers.flush()


def _answer(found: Iterator[Answer], answers: IO[bytes]) -> None:
    try:
        while (one := _within_time(found)) is not None:
            facts, values = one
            _tell(answers, {**facts, "shape": values.shape, "dtype": str(values.dtype)})
            answers.write(np.ascontiguousarray(values).data)
        _tell(answers, {"end": True})
    except BrokenPipeError:
        raise
    except CorpusError as error:
        _tell(answers, {"refused": str(error)})
    except MemoryError:
        _tell(answers, {"memory": True})
    except Exception:
        _tell(answers, {"fault": traceback.format_exc()})


def _tell(answers: IO[bytes], head: dict[str, Any]) -> None:
    answers.write(json.dumps(head).encode() + b"\n")


def _within_time(found: Iterator[Answer]) -> Answer | None:
    """Compute the next answer; past its time the process is ended, in the midst of C too."""
    _set_alarms(CPU_S, WALL_S)
    try:
        return next(found, None)
    finally:
        _set_alarms(0, 0)  # who asked may take his time


def _set_alarms(cpu_s: float, wall_s: float) -> None:
    """Set when the kernel is to send SIGPROF and SIGALRM, both of which end a process; 0: never."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _limit_memory() -> None:
    """Bound what a file may make this process take; when it dies, no dump of it is written."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with suppress(OSError, ValueError):  # no /proc; its user's own limits are lower
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_FIRST)
