"""The measurements of a GPU: several models as one, and the script up to the calls of CUDA."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import BrokenBarrierError

import pytest
import torch

from benchmarks.batched_models import BatchedLstm, BatchedModels, fused_states, next_states
from benchmarks.given_noise import GivenNoiseNetworks
from benchmarks.gpu import CASES, PARTS, QUICK, Plan, begin, lay_out, measure
from benchmarks.gpu_models import MPS, mps_server, results
from benchmarks.gpu_rig import sized
from benchmarks.worker import Worker
from fhvae.model.network import new_network
from fhvae.model.objective import log_q_sequence, segment_terms
from fhvae.params.model import ModelParams

FRAMES, SEGMENTS, MELS, ROWS, Z1, Z2, MODELS, ALPHA = 5, 11, 7, 4, 3, 2, 3, 10.0
ROOT = Path(__file__).resolve().parents[2]
CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def single_models(layers):
    sizes = ModelParams(
        cell="lstm", layers=layers, cells=6, z1=Z1, z2=Z2, z1_std=1.2, z2_std=0.5, mu2_std=0.9
    )
    networks = [new_network(MELS, FRAMES, sizes, seed) for seed in range(MODELS)]
    for network in networks:  # biases start alike in all models
        for name, weight in network.named_parameters():
            if name.endswith("bias") or "bias_ih" in name:
                weight.data.normal_(std=0.3)
    return networks, [torch.nn.Parameter(torch.randn(ROWS, Z2)) for _ in networks]


def batches():
    draw = torch.Generator().manual_seed(1)
    segments = torch.randn(FRAMES, MODELS, SEGMENTS, MELS, generator=draw)
    sequence = torch.randint(ROWS, (MODELS, SEGMENTS), generator=draw)
    return segments, sequence, torch.arange(3.0, 3 + ROWS)[sequence]


def losses_one_by_one(networks, tables):
    draw = torch.Generator().manual_seed(2)
    noise2, noise1 = (torch.randn(MODELS, SEGMENTS, size, generator=draw) for size in (Z2, Z1))
    segments, sequence, counts = batches()
    for place, (network, table) in enumerate(zip(networks, tables, strict=True)):
        given = GivenNoiseNetworks(network, noise2[place], noise1[place])
        own = segments[:, place].contiguous(), table[sequence[place]], counts[place]
        terms = segment_terms(given, *own, torch.Generator())
        log_q = log_q_sequence(terms.z2.mean, table, sequence[place], 0.5)
        yield -(terms.lower_bound + ALPHA * log_q).mean()


@pytest.mark.parametrize("layers", [1, 2])
def test_models_in_one_have_the_losses_and_gradients_of_each(layers):
    networks, tables = single_models(layers)
    batched = BatchedModels(networks, tables, ALPHA)
    found = batched(*batches(), torch.Generator().manual_seed(2))
    wanted = torch.stack(list(losses_one_by_one(networks, tables)))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0)
    found.sum().backward()
    wanted.sum().backward()
    own = {name: weight.grad for name, weight in batched.named_parameters()}
    for place, network in enumerate(networks):
        pairs = {"tables": tables[place].grad}
        for part in ("z2_encoder", "z1_encoder", "decoder"):
            single = getattr(network, part)
            pairs[f"heads.{part}.weight"] = single.head.weight.grad.T
            pairs[f"heads.{part}.bias"] = single.head.bias.grad[None]
            for layer in range(layers):
                for ours, theirs in (("from_input", "weight_ih"), ("from_state", "weight_hh")):
                    gradient = getattr(single.lstm, f"{theirs}_l{layer}").grad.T
                    pairs[f"lstms.{part}.{ours}.{layer}"] = gradient
                bias = getattr(single.lstm, f"bias_ih_l{layer}").grad
                pairs[f"lstms.{part}.bias.{layer}"] = bias[None]
        assert pairs.keys() == own.keys()
        for name, gradient in pairs.items():
            torch.testing.assert_close(own[name][place], gradient, rtol=1e-4, atol=1e-5)


def test_the_form_of_a_gpu_is_that_of_the_cpu():
    """With a stand-in for the kernel: `[row, gate]`, `[row, cell]` in, two states and gates out."""
    torch.manual_seed(0)
    shapes = ((3, 5, 24), (3, 5, 6), (3, 5, 6), (3, 6, 24))
    gates, hidden, cell, from_state = (torch.randn(shape) for shape in shapes)

    def kernel(from_input, from_hidden, before):
        assert before.shape == (15, 6)
        into, forget, new, out = (from_input + from_hidden).chunk(4, dim=1)
        after = forget.sigmoid() * before + into.sigmoid() * new.tanh()
        return out.sigmoid() * after.tanh(), after, from_input

    found = fused_states(gates, torch.bmm(hidden, from_state), cell, kernel)
    for one, other in zip(found, next_states(gates, hidden, cell, from_state), strict=True):
        torch.testing.assert_close(one, other)


def test_the_sizes_are_the_default_and_that_of_the_profile():
    default, paper = sized("default"), sized("paper")
    assert (default.model.cells, default.training.batch) == (128, 64)
    assert (paper.model.cells, paper.model.z1, paper.training.batch) == (256, 32, 256)
    assert (paper.segments.frames, paper.training.average) == (20, 0)


def test_the_plan_names_every_case_once_and_has_all_that_was_asked_for():
    for plan, device in ((Plan(), CUDA), (QUICK, CPU)):
        for part in PARTS:
            names = [name for name, _ in CASES[part](plan, device)]
            assert names
            assert len(set(names)) == len(names)
    steps = [name for name, _ in CASES["step"](Plan(), CUDA)]
    assert len(steps) == 2 * 3 * 4 * 5
    assert "paper, bf16, batch 16384, reduce-overhead" in steps


class Pretended:
    """A worker that keeps what it was given."""

    def __init__(self, **found):
        self.found, self.works = found, []

    def run(self, work, seconds):
        self.works.append(work)
        return dict(self.found)


def test_what_is_known_is_kept_what_failed_is_tried_again_and_time_runs_out(tmp_path):
    out, cases = tmp_path / "gpu.json", [("logits", name, name.upper) for name in "ab"]
    report = begin(out, {"gpu": "one"}, again=False)
    assert not measure(report, cases, Pretended(), out, until=time.monotonic() - 1)
    failing = Pretended(error="OutOfMemoryError: too little")
    assert measure(report, cases[:1], failing, out, until=float("inf"))
    good = Pretended(ms=1.23456, segments_per_second=2e6)
    assert measure(begin(out, {"gpu": "one"}, False), cases, good, out, float("inf"))
    assert len(good.works) == 2
    known = begin(out, {"gpu": "one"}, again=False)
    assert known["results"]["logits"]["a"] == {"ms": 1.235, "segments_per_second": 2e6}
    assert measure(known, cases, good, out, float("inf"))
    assert len(good.works) == 2
    for other in (begin(out, {"gpu": "two"}, False), begin(out, {"gpu": "one"}, True)):
        assert other["results"] == {}


def test_the_table_has_figures_and_sentences_in_the_order_of_the_plan():
    first, second = (name for name, _ in CASES["logits"](QUICK, CPU))
    figures = {"ms": 1.5, "segments_per_second": 12345.0, "step_ms": 2.0}
    results = {"logits": {second: {"error": "OutOfMemoryError: 3 GiB"}, first: figures}}
    lines = lay_out({"results": results}, QUICK, CPU).splitlines()
    assert lines[2:] == [
        f"| logits | {first} | 1.5 | 12,345 |  | step ms 2 |",
        f"| logits | {second} |  |  |  | OutOfMemoryError: 3 GiB |",
    ]


def failing():
    raise RuntimeError("CUDA error:\n  an illegal access")


def answer(**found):
    return found


@pytest.mark.slow
def test_a_worker_notes_what_fails_and_goes_on_with_the_next():
    worker = Worker()
    try:
        assert worker.run(partial(answer, ms=1.0), 60) == {"ms": 1.0}
        first = worker._process.pid
        assert worker.run(partial(answer, ms=2.0), 60) == {"ms": 2.0}
        assert worker._process.pid == first
        assert worker.run(failing, 60) == {"error": "RuntimeError: CUDA error: an illegal access"}
        assert worker.run(partial(os._exit, 3), 60) == {"error": "the process ended with 3"}
        assert worker.run(partial(time.sleep, 60), 1) == {"error": "took more than 1 s"}
        assert worker.run(partial(answer, ms=3.0), 60) == {"ms": 3.0}
    finally:
        worker.end()


def test_of_processes_that_wait_for_each_other_the_one_that_failed_is_named():
    runs = [Future() for _ in range(3)]
    runs[0].set_exception(BrokenBarrierError())
    runs[1].set_exception(MemoryError("too little"))
    runs[2].set_result((0.0, 1.0))
    with pytest.raises(MemoryError, match="too little"):
        results(runs)


def test_the_multi_process_service_is_started_and_ended(tmp_path, monkeypatch):
    """With a stand-in that notes how it is called."""
    control = tmp_path / MPS
    control.write_text(
        f'#!/bin/sh\necho "$* $(test -d "$CUDA_MPS_PIPE_DIRECTORY" && echo there) '
        f'$(test -t 0 || timeout 1 cat)" >> {tmp_path}/calls\n'
    )
    control.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_MPS_LOG_DIRECTORY", "before")
    with mps_server():
        assert Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"]).is_dir()
        assert os.environ["CUDA_MPS_LOG_DIRECTORY"] != "before"
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert os.environ["CUDA_MPS_LOG_DIRECTORY"] == "before"
    assert (tmp_path / "calls").read_text().split() == ["-d", "there", "there", "quit"]


@pytest.mark.slow
def test_the_script_runs_up_to_the_calls_of_cuda(tmp_path):
    out = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick", "--out"]
    found = subprocess.run(
        [*command, str(out)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    report = json.loads(out.read_text())
    assert report["results"].keys() == set(PARTS)
    for part in PARTS:
        assert report["results"][part].keys() == {name for name, _ in CASES[part](QUICK, CPU)}
        assert all("error" not in one for one in report["results"][part].values()), report
    for loss in report["results"]["loss"].values():
        assert loss == {"relative_loss": 0, "relative_gradient": 0}
    assert "| blocks | tiny, 9 sequences |" in found.stdout


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")
def test_layers_in_one_have_the_states_and_gradients_of_the_cpu():
    networks, _ = single_models(layers=2)
    lstms = BatchedLstm([network.z2_encoder.lstm for network in networks])
    segments, *_ = batches()
    found = []
    for device in (CPU, CUDA):
        lstms.to(device).zero_grad()
        outputs, last = lstms(segments.to(device), FRAMES)
        (outputs.square().sum() + last.sum()).backward()
        gradients = [weight.grad.clone().cpu() for weight in lstms.parameters()]
        found.append([outputs.detach().cpu(), last.detach().cpu(), *gradients])
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-4, atol=1e-4)
