"""What start-up and memory of a training are measured under, and what `make benchmark` runs."""

from pathlib import Path

import pytest

from benchmarks.process_tree import status_bytes
from benchmarks.training_process import stage_variables


def test_processes_have_the_variables_of_the_stage():
    variables = stage_variables("train")
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["MALLOC_TRIM_THRESHOLD_"] == variables["MALLOC_MMAP_THRESHOLD_"]
    assert "MALLOC_TRIM_THRESHOLD_" not in stage_variables("latents")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures by /proc")
def test_the_peak_of_a_process_is_no_less_than_what_it_holds():
    held = status_bytes("VmRSS")
    assert 0 < held <= status_bytes("VmHWM")
