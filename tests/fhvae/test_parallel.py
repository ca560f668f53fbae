"""A map over worker processes: in order, never far ahead of its consumer, told when it cannot."""

import importlib.util
import os
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from fhvae import parallel
from fhvae.errors import CorpusError, ParamsError
from fhvae.parallel import WINDOWS, map_in_order, release_workers, worker_count

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


def process_id(number):
    return os.getpid()


def marks(folder):
    return len(list(folder.iterdir()))


def use(monkeypatch, kind):
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
        give_up = time.monotonic() + 60
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


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_bad_number_of_workers_is_refused(monkeypatch, text):
    monkeypatch.setenv("FHVAE_WORKERS", text)
    with pytest.raises(ParamsError, match="FHVAE_WORKERS must be a whole number of at least 1"):
        worker_count()


@needs_dask
@pytest.mark.parametrize("setting", ["local:0", "local:", "local:two"])
def test_a_bad_local_cluster_is_refused(monkeypatch, setting):
    use(monkeypatch, {"FHVAE_DASK": setting})
    with pytest.raises(ParamsError, match=r"FHVAE_DASK must be local:N .* or tcp://host:port, got"):
        list(map_in_order(double, [1], "double"))


@needs_dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_told_in_one_sentence(monkeypatch, address):
    use(monkeypatch, {"FHVAE_DASK": address})
    monkeypatch.setattr(parallel, "DASK_SECONDS", 0.5)
    with pytest.raises(ParamsError, match=rf"{address} gave none within .* or unset") as caught:
        list(map_in_order(double, [1], "double"))
    assert "\n" not in str(caught.value)


def test_absent_dask_is_told_in_one_sentence(monkeypatch):
    use(monkeypatch, {"FHVAE_DASK": "local:3"})
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(ParamsError, match=r"needs the package dask\[distributed\], which is not"):
        list(map_in_order(double, [1], "double"))


def test_released_workers_are_gone_and_come_back_when_needed(monkeypatch):
    use(monkeypatch, {"FHVAE_WORKERS": "2"})
    release_workers()
    before = set(map_in_order(process_id, range(8), "ids"))
    release_workers()
    assert not any(Path(f"/proc/{number}").exists() for number in before)
    assert before.isdisjoint(map_in_order(process_id, range(8), "ids"))
