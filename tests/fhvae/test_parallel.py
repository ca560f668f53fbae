"""A map over worker processes: in order, never far ahead of its consumer, told when it cannot."""

import gc
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, nullcontext, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from fhvae import cluster as dask_cluster
from fhvae import parallel
from fhvae.errors import CorpusError, ParamsError, WorkerError
from fhvae.parallel import WINDOWS, map_in_order, release_workers, worker_count

ROOT = Path(__file__).resolve().parents[2]
NO_DASK = importlib.util.find_spec("distributed") is None
needs_dask = pytest.mark.skipif(NO_DASK, reason="the extra dask is not installed")
KINDS = [
    pytest.param({"FHVAE_WORKERS": "1"}, id="one"),
    pytest.param({"FHVAE_WORKERS": "2"}, id="loky"),
    pytest.param({"FHVAE_DASK": "local:2"}, id="dask", marks=needs_dask),
]


def double(number):
    return 2 * number


def leave_mark(folder, number):
    """Say that work on an item has begun; long enough to be a batch of its own."""
    (folder / str(number)).touch()
    time.sleep(0.11)
    return number


def refuse_seven(number):
    if number == 7:
        raise CorpusError("utterance 7: is silent")
    return number


def die_of_seven(number):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def process_id(number):
    return os.getpid()


def marks(folder):
    return len(list(folder.iterdir()))


def use(monkeypatch, kind):
    # A client of Dask that is collected while another connects waits for that one's lock forever.
    gc.collect()
    for name in ("FHVAE_WORKERS", "FHVAE_DASK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in kind.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("kind", KINDS)
def test_results_come_in_the_order_of_the_items(monkeypatch, kind):
    use(monkeypatch, kind)
    for count in (0, 1, 3, 3000):
        assert list(map_in_order(double, range(count), "double")) == list(range(0, 2 * count, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_a_worker_reaches_the_caller(monkeypatch, kind):
    use(monkeypatch, kind)
    seen = []
    with pytest.raises(CorpusError, match="utterance 7: is silent"):
        seen.extend(map_in_order(refuse_seven, range(40), "refuse"))
    assert seen == list(range(7))
    assert list(map_in_order(double, [1, 2], "double")) == [2, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_do_not_run_away_from_a_slow_consumer(monkeypatch, tmp_path, kind):
    """joblib alone would go through all 60 items while the consumer looks at the first."""
    use(monkeypatch, kind)
    ahead = 1 if kind.get("FHVAE_WORKERS") == "1" else 2 * WINDOWS
    with closing(map_in_order(partial(leave_mark, tmp_path), range(60), "slow")) as results:
        assert next(results) == 0
        give_up = time.monotonic() + 600
        while marks(tmp_path) < ahead and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(0.5)  # time for nine more of them
        assert marks(tmp_path) == ahead
        assert next(results) == 1
    time.sleep(0.3)
    assert marks(tmp_path) <= ahead + 2  # closing ends the work not yet begun


def test_small_items_go_in_batches_and_large_ones_alone():
    batch = parallel._Batch([0] * 10, seconds=0.001)
    assert parallel._batch_size(batch) == parallel.MOST_ITEMS
    assert parallel._batch_size(parallel._Batch([0] * 10, seconds=0.05)) == 10
    assert parallel._batch_size(parallel._Batch([0] * 2, seconds=3.0)) == 1
    assert parallel._batch_size(parallel._Batch([0], seconds=0.0)) == parallel.MOST_ITEMS


def test_worker_processes_have_one_thread(monkeypatch):
    use(monkeypatch, {"FHVAE_WORKERS": "2"})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert set(map_in_order(os.getenv, ["OMP_NUM_THREADS"] * 4, "threads")) == {"1"}


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_a_bad_number_of_workers_is_refused(monkeypatch, text):
    monkeypatch.setenv("FHVAE_WORKERS", text)
    with pytest.raises(ParamsError, match="FHVAE_WORKERS must be a whole number of at least 1"):
        worker_count()


@pytest.mark.parametrize(
    "setting", ["local:0", "local:", "local:two", "local", "local://2", "16", "host:8786", "yes"]
)
def test_what_is_neither_a_local_cluster_nor_an_address_is_refused_at_once(monkeypatch, setting):
    use(monkeypatch, {"FHVAE_DASK": setting})
    message = rf"FHVAE_DASK must be local:N .* such as tls://host:8786, got '{setting}'"
    with pytest.raises(ParamsError, match=message):
        list(map_in_order(double, [1], "double"))


@needs_dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://here"])
def test_a_scheduler_that_does_not_answer_is_told_in_one_sentence(monkeypatch, address):
    use(monkeypatch, {"FHVAE_DASK": address})
    monkeypatch.setattr(dask_cluster, "DASK_SECONDS", 0.5)
    with pytest.raises(ParamsError, match=rf"{address} gave none within .* or unset") as caught:
        list(map_in_order(double, [1], "double"))
    assert "\n" not in str(caught.value)


def window_sizes(monkeypatch, counts):
    """Map over 40 items with a count of workers that changes; give the size of each window."""
    sizes, counts = [], iter(counts)

    def begun(pool, function, items, size):
        sizes.append(len(items))
        return iter([parallel._run(function, items)])

    monkeypatch.setattr(parallel, "_pool", lambda workers: nullcontext())
    monkeypatch.setattr(parallel, "_begun", begun)
    monkeypatch.setattr(parallel, "_batch_size", lambda batch: 1)
    workers = parallel._Workers({}, lambda: next(counts))
    assert list(parallel._windows(double, range(40), workers)) == list(range(0, 80, 2))
    return sizes


def test_workers_that_join_while_a_map_runs_get_work(monkeypatch):
    assert window_sizes(monkeypatch, [1, 1, 1, 8, 16, 16]) == [1, 1, 1, 8, 16, 13]


class Cluster:
    """The part of a Dask client that counts workers: so many at each question."""

    def __init__(self, *counts):
        self.counts = list(counts)

    def ncores(self):
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        if count is None:
            raise OSError("gone")
        return {f"tcp://worker-{place}": 2 for place in range(count)}


def test_workers_are_waited_for_where_there_are_none(monkeypatch):
    monkeypatch.setattr(dask_cluster, "DASK_POLL_SECONDS", 0.01)
    assert dask_cluster.worker_count(Cluster(3), "tcp://host:1") == 6
    assert dask_cluster.worker_count(Cluster(0, None, 0, 1), "tcp://host:1") == 2


@pytest.mark.parametrize("count", [0, None])
def test_a_cluster_that_stays_without_a_worker_is_told_in_one_sentence(monkeypatch, count):
    monkeypatch.setattr(dask_cluster, "DASK_SECONDS", 0.1)
    message = r"FHVAE_DASK=tcp://host:1 must have a worker, it has had none for 0\.1 s; start"
    with pytest.raises(ParamsError, match=message) as caught:
        dask_cluster.worker_count(Cluster(count), "tcp://host:1")
    assert "\n" not in str(caught.value)


@needs_dask
def test_a_cluster_may_lose_all_workers_and_get_others(monkeypatch):
    """joblib's own answer to the first is advice about its parallel_config."""
    from dask.distributed import LocalCluster

    with LocalCluster(1, processes=False, threads_per_worker=1, dashboard_address=None) as cluster:
        use(monkeypatch, {"FHVAE_DASK": cluster.scheduler_address})
        assert list(map_in_order(double, [1, 2], "double")) == [2, 4]
        client = dask_cluster.connected(cluster.scheduler_address)
        cluster.scale(0)
        while client.ncores():
            time.sleep(0.05)
        with monkeypatch.context() as patch:
            patch.setattr(dask_cluster, "DASK_SECONDS", 0.3)
            with pytest.raises(ParamsError, match=r"must have a worker, it has had none for 0\.3"):
                list(map_in_order(double, [1, 2], "double"))
        counts = iter([2] * (WINDOWS + 1))  # counted before they left; then two come
        with monkeypatch.context() as patch:
            patch.setattr(
                dask_cluster, "worker_count", lambda *_: next(counts, None) or cluster.scale(2) or 2
            )
            assert list(map_in_order(double, range(9), "double")) == list(range(0, 18, 2))
        client.close()
        dask_cluster.connected.cache_clear()


INTRUDER = """
import sys
from dask.distributed import Client
from distributed.security import Security

address, kind, mark = sys.argv[1:]
host = address.partition("://")[2]
security = None
if kind == "another certificate":
    security = Security.temporary()
elif kind == "no certificate":
    # encrypted, trusting everybody, and without a certificate of its own
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    security = Security(require_encryption=True)
    security.get_connection_args = lambda role: {
        "ssl_context": context, "require_encryption": True, "extra_conn_args": {}
    }
with Client(f"{'tls' if security else 'tcp'}://{host}", security=security, timeout=3) as client:
    client.run_on_scheduler(open, mark, "w")
"""


@needs_dask
def test_nobody_else_on_the_machine_gets_code_into_a_local_cluster(monkeypatch, tmp_path):
    """Its ports are on loopback, open to every user; who may speak to a scheduler runs code."""
    use(monkeypatch, {"FHVAE_DASK": "local:1"})
    assert list(map_in_order(double, [1, 2], "double")) == [2, 4]
    cluster = dask_cluster.connected("local:1").cluster
    addresses = [cluster.scheduler_address, *cluster.scheduler.workers]
    assert all(address.startswith("tls://127.0.0.1:") for address in addresses)
    for kind in ("plain", "no certificate", "another certificate"):
        for address in addresses:
            mark = tmp_path / kind
            command = [sys.executable, "-c", INTRUDER, address, kind, str(mark)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode != 0
            assert not mark.exists()
    assert all(
        answer == b"" or answer.startswith(b"HTTP/1.1 404") for answer in answers_over_http()
    )


def answers_over_http():
    """Ask every port that this process and its workers listen at for what Dask shows of itself."""
    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = {
        one.laddr.port
        for own in tree
        for one in own.net_connections("inet")
        if one.status == "LISTEN"
    }
    assert len(listening) >= 4  # scheduler and worker, and the HTTP of each
    for port in listening:
        for path in ("/info/main/workers.html", "/json/counts.json", "/health", "/metrics", "/"):
            with (
                socket.create_connection(("127.0.0.1", port), timeout=60) as call,
                suppress(ConnectionResetError),
            ):
                call.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                yield call.recv(100)


@needs_dask
def test_a_scheduler_with_certificates_of_ones_own_is_spoken_to(monkeypatch):
    """As docs/scaling.md has it, with Dask's own settings."""
    import dask
    from dask.distributed import LocalCluster
    from distributed.security import Security

    own = Security.temporary()
    settings = {
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls.ca-file": own.tls_ca_file,
        "distributed.comm.tls.client.cert": own.tls_client_cert,
        "distributed.comm.tls.client.key": own.tls_client_key,
    }
    local = {"processes": False, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(1, security=own, **local) as cluster, dask.config.set(settings):
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        use(monkeypatch, {"FHVAE_DASK": address})
        assert list(map_in_order(double, range(9), "double")) == list(range(0, 18, 2))
        dask_cluster.connected(address).close()
        dask_cluster.connected.cache_clear()


MAPPING = """
import os, time
from fhvae.parallel import map_in_order
from tests.fhvae.test_parallel import tell_and_wait
if __name__ == "__main__":
    list(map_in_order(tell_and_wait, range(2), "wait"))
"""


def tell_and_wait(number):
    """Say which process works, then work without an end."""
    print(os.getpid(), flush=True)
    time.sleep(3600)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"FHVAE_WORKERS": "2"}, id="loky"),
        pytest.param({"FHVAE_DASK": "local:2"}, id="dask", marks=needs_dask),
    ],
)
def test_workers_end_with_the_process_that_they_work_for(tmp_path, kind):
    """By themselves loky's finish their work and then wait five minutes."""
    (tmp_path / "mapping.py").write_text(MAPPING)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FHVAE_")}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "mapping.py")],
        env={**kept, "PYTHONPATH": str(ROOT), **kind},
        stdout=subprocess.PIPE,
        text=True,
    )
    workers = {int(process.stdout.readline()) for _ in range(2)}
    process.kill()
    assert process.communicate()[0] == ""  # comes when the last that could write there is gone
    assert len(workers) == 2


def test_absent_dask_is_told_in_one_sentence(monkeypatch):
    use(monkeypatch, {"FHVAE_DASK": "local:3"})
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(
        ParamsError, match=r"needs the packages dask\[distributed\] and cryptography"
    ):
        list(map_in_order(double, [1], "double"))


def test_released_workers_are_gone_and_come_back_when_needed(monkeypatch):
    use(monkeypatch, {"FHVAE_WORKERS": "2"})
    release_workers()
    before = set(map_in_order(process_id, range(8), "ids"))
    release_workers()
    assert not any(Path(f"/proc/{number}").exists() for number in before)
    assert before.isdisjoint(map_in_order(process_id, range(8), "ids"))


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        pytest.param({"FHVAE_WORKERS": "2"}, "FHVAE_WORKERS", id="loky"),
        pytest.param(
            {"FHVAE_DASK": "local:2"}, "FHVAE_DASK", id="dask", marks=[needs_dask, pytest.mark.slow]
        ),
    ],
)
def test_a_killed_worker_is_told_in_one_sentence(monkeypatch, kind, variable):
    """The system kills what takes too much memory."""
    use(monkeypatch, kind)
    with pytest.raises(
        WorkerError, match=rf"one was killed.* for lack of memory; .* fewer of them \({variable}\)"
    ):
        list(map_in_order(die_of_seven, range(20), "double"))
    assert list(map_in_order(double, range(9), "double")) == list(range(0, 18, 2))


@pytest.mark.parametrize("kind", [{"FHVAE_WORKERS": "2"}, {"FHVAE_DASK": "local:2"}])
@pytest.mark.parametrize("error", [ImportError("no sem_open"), OSError(38, "not implemented")])
def test_without_semaphores_one_process_does_the_work(monkeypatch, caplog, error, kind):
    """A machine without /dev/shm."""
    use(monkeypatch, kind)

    def refuse(*_arguments):
        raise error

    monkeypatch.setattr("multiprocessing.context.BaseContext.Semaphore", refuse)
    parallel._has_semaphores.cache_clear()
    try:
        found = list(map_in_order(process_id, range(5), "double"))
        release_workers()
    finally:
        parallel._has_semaphores.cache_clear()
    assert set(found) == {os.getpid()}
    assert caplog.text.count("one process instead of several") == 1


def test_release_starts_nothing(monkeypatch):
    """loky starts an executor, with processes of its own, for who asks for one."""
    release_workers()
    monkeypatch.setattr("joblib.externals.loky.get_reusable_executor", None)  # cannot be called
    release_workers()
