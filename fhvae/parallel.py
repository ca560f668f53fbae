"""Map a function over items in worker processes, in order, with a progress bar.

The result never depends on the number and kind of workers:

FHVAE_WORKERS   number of processes on this machine (default: all cores)
FHVAE_DASK      local:N for a Dask cluster of N processes here, or the address of a
                scheduler, tls://host:8786, whose workers see the same files under the same
                paths (start them in the same folder of a shared disk) and have this package;
                they may come and go while a map runs
"""

import logging
import os
import re
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from threading import Event
from typing import Any, Generic, TypeVar

from fhvae import cluster
from fhvae.errors import ParamsError, WorkerError
from fhvae.orphans import end_with
from fhvae.progress import progress_bar

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_SECONDS = 0.05  # of work that a worker gets at once: 50 times what handing it over costs
MOST_ITEMS = 256  # in a batch
WINDOWS = 3  # of a batch per worker: one to consume, two to compute
LOKY_SECONDS = 0.05  # until its thread has taken what was submitted; killed before, it dies badly
KILLS = {"TerminatedWorkerError", "KilledWorker"}  # of loky, of Dask
EXIT_CODES = re.compile(r"exit codes of the workers are \{(.*?)\}")
SAFE_PATH = "PYTHONSAFEPATH"  # has Python import nothing of the folder that it starts in

loky_began = Event()  # its processes stay for the next map


def worker_count() -> int:
    """Read the number of worker processes: `FHVAE_WORKERS`, else the usable cores."""
    text = os.environ.get("FHVAE_WORKERS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not text.isdecimal() or int(text) < 1:
        raise ParamsError(f"FHVAE_WORKERS must be a whole number of at least 1, got {text!r}")
    return int(text)


def map_in_order(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    unit: str = "utt",
    done: int = 0,
) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, in the order of the items.

    Workers run ahead of a slow consumer by at most `WINDOWS` batches each: memory is that of
    a few items per worker, however many there are. Closing the generator ends the progress
    bar and the work not yet begun.

    Args:
        function: of a module, so that worker processes can have it.
        items: what it is applied to.
        label: of the progress bar.
        unit: what one item is.
        done: items done before, by an interrupted run; they count in the bar only.

    Raises:
        ParamsError: `FHVAE_WORKERS` or `FHVAE_DASK` cannot be used.
        WorkerError: a worker process was killed.
    """
    results = _results(function, items)
    try:
        yield from progress_bar(results, label, unit, total=len(items) + done, initial=done)
    finally:
        results.close()


def release_workers() -> None:
    """End the idle processes on this machine; each holds the libraries it has imported."""
    if not loky_began.is_set():  # asking for its executor would start one
        return
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True)
    loky_began.clear()


def _results(
    function: Callable[[Item], Result], items: Sequence[Item]
) -> Generator[Result, None, None]:
    setting = os.environ.get("FHVAE_DASK", "")
    workers = min(worker_count(), max(1, len(items)))
    if setting and (not setting.startswith("local:") or _has_semaphores()):
        with _safe_path():
            client = cluster.connected(setting)
        cluster.register()
        backend = {"backend": cluster.DASK, "client": client, "wait_for_workers_timeout": 0}
        count = partial(cluster.worker_count, client, setting)
        yield from _windows(function, items, _Workers(backend, count))
    elif not setting and workers > 1 and _has_semaphores():
        loky_began.set()
        loky = {
            "backend": "loky",
            "inner_max_num_threads": 1,
            "initializer": end_with,  # by itself a worker would work on, then wait five minutes
            "initargs": (os.getpid(), True),
        }
        yield from _windows(function, items, _Workers(loky, lambda: workers))
    else:
        yield from map(function, items)


@lru_cache(maxsize=1)
def _has_semaphores() -> bool:
    """Tell whether processes can work together here; say so where they cannot.

    Semaphores need /dev/shm, which some containers and hosted machines lack.
    """
    try:
        with _safe_path():
            get_context("spawn").Semaphore()
    except (ImportError, OSError) as error:
        log.warning(
            "one process instead of several: this machine gives no semaphores (%s); "
            "/dev/shm must be there and writable",
            error,
        )
        return False
    return True


@contextmanager
def _safe_path() -> Iterator[None]:
    """Start processes that import nothing of the folder one stands in: it may be a stranger's."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


@dataclass(frozen=True)
class _Workers:
    """Who computes.

    Attributes:
        backend: of joblib, with its settings.
        count: tells how many there are at the moment; at least 1.
    """

    backend: dict[str, Any]
    count: Callable[[], int]


@dataclass(frozen=True)
class _Batch(Generic[Result]):
    """Results of consecutive items: up to an error, if there was one.

    Attributes:
        results: one per item.
        seconds: that the worker took.
        error: what the item after the last result raised.
    """

    results: list[Result]
    seconds: float
    error: Exception | None = None


def _run(function: Callable[[Item], Result], items: Sequence[Item]) -> _Batch[Result]:
    """Work on a batch; an error is a result, for joblib answers a raised one by killing."""
    begun, results = time.perf_counter(), []
    try:
        for item in items:
            results.append(function(item))
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        return _Batch(results, time.perf_counter() - begun, error)
    return _Batch(results, time.perf_counter() - begun)


def _windows(
    function: Callable[[Item], Result], items: Sequence[Item], workers: _Workers
) -> Generator[Result, None, None]:
    """Work in windows of a batch per worker: while one is consumed, the next are computed.

    joblib alone dispatches on, whether its results are consumed or not. Workers are counted
    for each window, as a cluster may still be growing.
    """
    with ExitStack() as stack:
        pools = [stack.enter_context(_pool(workers)) for _ in range(WINDOWS)]
        ahead: deque[Iterator[_Batch[Result]]] = deque()
        stack.callback(_close_all, ahead)
        size, first = 1, 0
        while first < len(items) or ahead:
            while first < len(items) and len(ahead) < WINDOWS:
                last = min(first + workers.count() * size, len(items))
                window = _begun(pools[0], function, items[first:last], size)
                if window is None:
                    pools[0] = stack.enter_context(_pool(workers))  # joblib's is of no use then
                    continue
                ahead.append(window)
                pools.append(pools.pop(0))
                first = last
            for batch in _told_of_kills(ahead[0], workers):
                size = _batch_size(batch)
                yield from batch.results
                if batch.error is not None:
                    raise batch.error
            ahead.popleft()


def _told_of_kills(window: Iterator[_Batch[Result]], workers: _Workers) -> Iterator[_Batch[Result]]:
    """Walk over the batches of a window.

    Raises:
        WorkerError: a worker process was killed; most often by the system, for its memory.
    """
    try:
        yield from window
    except Exception as error:
        if type(error).__name__ not in KILLS:  # of libraries that need not be there
            raise
        reason = EXIT_CODES.search(str(error))
        variable = "FHVAE_DASK" if workers.backend["backend"] == cluster.DASK else "FHVAE_WORKERS"
        raise WorkerError(
            f"worker processes must live until the work is done, one was killed"
            f"{f' ({reason.group(1)})' if reason else ''}, most often for lack of memory; run the "
            f"same command again with fewer of them ({variable}) or with more memory"
        ) from error


def _begun(
    pool: Any, function: Callable[[Item], Result], items: Sequence[Item], size: int
) -> Iterator[_Batch[Result]] | None:
    """Hand over a window in batches; None if the last worker has left since they were counted."""
    from joblib import delayed

    batches = [items[first : first + size] for first in range(0, len(items), size)]
    try:
        with _safe_path():
            begun: Iterator[_Batch[Result]] = pool(delayed(_run)(function, own) for own in batches)
    except RuntimeError as error:
        if "no active worker" not in str(error):
            raise
        return None
    return begun


def _pool(workers: _Workers) -> Any:
    """Set up joblib to hand over every batch that it is given, at once."""
    from joblib import Parallel, parallel_config

    with parallel_config(**workers.backend):
        return Parallel(workers.count(), return_as="generator", pre_dispatch="all", batch_size=1)


def _batch_size(batch: _Batch[Any]) -> int:
    """Choose how many items make a batch of `BATCH_SECONDS`, seeing how long one took."""
    possible = BATCH_SECONDS * len(batch.results) / max(batch.seconds, 1e-9)
    return max(1, min(int(possible), MOST_ITEMS))


def _close_all(ahead: deque[Any]) -> None:
    """Abandon windows that nobody will consume; joblib kills the workers."""
    if ahead:
        time.sleep(LOKY_SECONDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib warns of results that nobody took
        while ahead:
            ahead.pop().close()
