"""The figures of docs/scaling.md: known by construction, and those of the committed results."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scale
from benchmarks.features import growth
from benchmarks.noise_corpus import LONGEST_S, SHORTEST_S, write_noise_corpus
from benchmarks.process_tree import measure
from benchmarks.scale import SPLITS, exponents, write_sparse_corpus
from benchmarks.scale_table import costs, filled, number, tables
from fhvae.corpus.store import read_corpus
from fhvae.files import shards
from fhvae.files.atomic import read_json
from fhvae.files.packed import read_packed

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks/results"


def test_the_page_holds_the_tables_of_the_committed_results():
    page = (ROOT / "docs/scaling.md").read_text()
    made = tables(read_json(RESULTS / "scale.json"), read_json(RESULTS / "features.json"))
    assert filled(page, made) == page


def test_costs_of_a_thousand_hours_by_hand():
    row = {"cpu_us_per_utterance": 2.0, "peak_bytes_per_utterance": 1000}
    simulated = {
        "counts": [10],
        "files": {"10": {"index_bytes_per_utterance": 40, "manifest_bytes_per_utterance": 60}},
        "readers": {"read_corpus": [row]},
        "hash_cpu_s_per_gb": {"md5": 1.0},
    }
    found = costs(1025, simulated, {"growth": {"marginal_cpu_s_per_hour": 3.6}})
    assert found["utterances"] == pytest.approx(300_000)
    assert found["samples, int16, GB"] == pytest.approx(118.08)  # 32 kB a second
    assert found["frames, float32, GB"] == pytest.approx(118.08)  # 100 frames of 320 bytes
    assert found["frames, float16, GB"] == pytest.approx(59.04)
    assert found["shards of samples"] == 55
    assert found["`fbank`, CPU hours"] == pytest.approx(1.025)
    assert found["manifest and index, GB"] == pytest.approx(0.03)
    assert found["`read_corpus`, memory, GB"] == pytest.approx(0.3)
    assert found["`read_corpus`, CPU seconds"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0534, "0.053"), (5.34, "5.3"), (53.4, "53"), (534, "530"), (14_634, "15,000"), (0, "0")],
)
def test_numbers_have_two_digits(value, text):
    assert number(value) == text


def test_growth_of_a_stream_is_one_and_of_a_square_two():
    rows = [{"cpu": 1.0, "bytes_per_utterance": 1.0}, {"cpu": 1.0, "bytes_per_utterance": 10.0}]
    assert exponents([10, 100], rows) == {"cpu": 1.0, "bytes": 2.0}
    short = {"hours": 1.0, "cpu_s_per_hour": 5.0, "peak_rss_mb": 500, "peak_pss_mb": 400}
    long = {"hours": 3.0, "cpu_s_per_hour": 4.0, "peak_rss_mb": 500, "peak_pss_mb": 400}
    assert growth([short, long])["marginal_cpu_s_per_hour"] == 3.5  # 7 seconds for 2 more hours
    assert growth([short, long])["peak_rss"] == 1.0


def test_a_sparse_corpus_reads_like_a_real_one(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 4_000_000)
    monkeypatch.setattr(scale, "UTTERANCES_PER_SPEAKER", 5)
    write_sparse_corpus(tmp_path / "corpus", 500)
    corpus = read_corpus(tmp_path / "corpus")
    assert len(corpus.utterances) == 500
    assert corpus.splits == list(SPLITS)
    packed = read_packed(tmp_path / "corpus" / "train")
    assert len(packed) == 480
    assert packed.rows.dtype == np.int16
    assert len(packed[479]) == round(corpus.split("train")[479].duration_s * 16_000)
    assert not packed[479].any()


def test_made_up_audio_has_the_hours_asked_for(tmp_path):
    write_noise_corpus(tmp_path / "corpus", 0.1)
    utterances = read_corpus(tmp_path / "corpus").utterances
    seconds = [item.duration_s for item in utterances]
    assert min(seconds) >= SHORTEST_S
    assert max(seconds) <= LONGEST_S
    assert 360 <= sum(seconds) < 360 + LONGEST_S


GRANDCHILD = "import time; block = bytearray(80_000_000); time.sleep(2)"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures by /proc")
def test_memory_of_descendants_is_counted(tmp_path):
    usage = measure([sys.executable, "-c", CHILD], tmp_path, {})
    assert usage.processes == 2
    assert 80e6 < usage.peak_pss_bytes <= usage.peak_rss_bytes < 160e6
    assert 0 < usage.cpu_s < usage.wall_s
    with pytest.raises(RuntimeError, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path, {})
