"""A Dask cluster as the workers of joblib: one of this machine, or one that a scheduler leads.

`local:N` starts N processes here, which speak TLS with certificates of this run. An address,
tls://host:8786, is that of a scheduler whose workers see the same files (docs/scaling.md).
"""

import atexit
import logging
import time
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

from fhvae.errors import ParamsError
from fhvae.files.atomic import temporary_folder
from fhvae.portable import arithmetic

DASK = "dask that tells of kills"  # joblib's backend, as `register` repairs it
DASK_SECONDS = 15  # to wait for a scheduler, and for a worker where there is none
DASK_POLL_SECONDS = 0.1  # between two looks at what is done
# Of a local cluster's processes. glibc comes to these two thresholds by itself; Dask's own of
# 64 KiB has it map the memory of every temporary array again, three times the CPU time of log_mel.
DASK_VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": 32 << 20,
    "MALLOC_TRIM_THRESHOLD_": 64 << 20,
    "OMP_NUM_THREADS": 1,
    "OPENBLAS_NUM_THREADS": 1,
    "MKL_NUM_THREADS": 1,
}
# Of a local cluster: its second port, of HTTP, answers nothing.
DASK_LOCAL = {
    "distributed.nanny.pre-spawn-environ": DASK_VARIABLES,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def connected(setting: str) -> Any:
    """Connect to the cluster that `FHVAE_DASK` names, once per process.

    Raises:
        ParamsError: dask is not installed, the setting cannot be read, or nobody answers.
    """
    _check_setting(setting)
    try:
        import dask
        from dask.distributed import Client, LocalCluster
        from distributed.security import Security

        # A port on loopback is open to every user of the machine, and who may speak to a scheduler
        # runs code: certificates of this run, which lie in memory alone.
        certificates = Security.temporary() if setting.startswith("local:") else None
    except ImportError as error:
        raise ParamsError(
            f"FHVAE_DASK={setting} needs the packages dask[distributed] and cryptography, which "
            "are not both installed; pip install 'dask[distributed]' cryptography, or unset "
            "FHVAE_DASK"
        ) from error
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if certificates:
        # Dask imports from its folder; the one of its own choice is any user's to make.
        folder = ExitStack()
        own = folder.enter_context(temporary_folder("fhvae-dask"))
        atexit.register(folder.close)
        with dask.config.set(DASK_LOCAL):
            cluster = LocalCluster(
                n_workers=int(setting.removeprefix("local:")),
                threads_per_worker=1,
                dashboard_address=None,
                env={"FHVAE_DASK": ""},  # a worker has no cluster of its own
                security=certificates,
                local_directory=str(own),
            )
        return Client(cluster)
    try:
        client = Client(setting, timeout=DASK_SECONDS)
        client.wait_for_workers(1, timeout=DASK_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split())
        raise ParamsError(
            f"FHVAE_DASK must be the address of a running Dask scheduler with a worker, "
            f"{setting} gave none within {DASK_SECONDS} s ({reason}); "
            "start `dask scheduler` and `dask worker`, or unset FHVAE_DASK"
        ) from error
    _check_arithmetic(client, setting)
    return client


@lru_cache(maxsize=1)
def register() -> None:
    """Have joblib told of tasks whose workers were killed; it waits for them forever else."""
    from joblib import register_parallel_backend
    from joblib._dask import DaskDistributedBackend

    class Telling(DaskDistributedBackend):  # type: ignore[misc]
        def submit(self, func: Any, callback: Any = None) -> Any:
            future = super().submit(func, callback)
            future.add_done_callback(lambda done: done.exception() and callback(done.exception()))
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, BaseException):  # what a task raised itself comes wrapped
                raise out
            return super().retrieve_result_callback(out)

    register_parallel_backend(DASK, Telling)


def worker_count(client: Any, setting: str) -> int:
    """Count the workers' threads; where there are none, wait for the first.

    Raises:
        ParamsError: none comes, or the scheduler is gone.
    """
    deadline = time.monotonic() + DASK_SECONDS
    while True:
        try:
            if count := sum(client.ncores().values()):
                return int(count)
        except OSError:  # the scheduler is gone; it may come back
            pass
        if time.monotonic() >= deadline:
            raise ParamsError(
                f"the Dask cluster of FHVAE_DASK={setting} must have a worker, it has had none for "
                f"{DASK_SECONDS} s; start `dask worker` or unset FHVAE_DASK, and run "
                "the same command again"
            )
        time.sleep(DASK_POLL_SECONDS)


def _check_setting(setting: str) -> None:
    kind, _, count = setting.partition(":")
    local = kind == "local" and count.isdecimal() and int(count) > 0
    if not local and (kind == "local" or "://" not in setting):
        raise ParamsError(
            "FHVAE_DASK must be local:N with at least 1 process, or the address of a scheduler "
            f"such as tls://host:8786, got {setting!r}; correct or unset it"
        )


def _check_arithmetic(client: Any, setting: str) -> None:
    """Warn of workers that compute as their processor likes; one that comes later is not asked."""
    kinds = client.run(arithmetic)
    if arithmetic() is None and (free := [name for name, kind in kinds.items() if kind]):
        log.warning(
            "%d of the %d workers of FHVAE_DASK=%s compute with arithmetic %s: another may give "
            "other figures; start them by `python -m fhvae.portable dask worker ...`",
            len(free),
            len(kinds),
            setting,
            kinds[free[0]],
        )
