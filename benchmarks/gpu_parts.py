"""What is measured on a GPU, but for several models at once (benchmarks/gpu_models.py).

Each function measures one thing in the process that calls it, and returns its figures.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.given_noise import GivenNoiseNetworks
from benchmarks.gpu_rig import (
    Amount,
    Rig,
    free_memory,
    in_precision,
    milliseconds,
    seconds,
    sized,
    speed,
)
from benchmarks.step import MELS, made_up_data, made_up_frames
from fhvae.artifacts import PackedWriter, read_packed
from fhvae.inference import infer_latents
from fhvae.model.network import new_network
from fhvae.model.objective import Networks, log_q_sequence, segment_terms
from fhvae.model.weights import TrainedModel
from fhvae.params.whole import Params
from fhvae.training.batches import Sequences, open_sequences
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.dev import evaluate_dev
from fhvae.training.learner import Bfloat16Networks, GraphedStep, Learner, Step
from fhvae.training.loop import Setting, Trainer
from fhvae.training.table import closed_form_table

ROWS = 1440  # of the table of mu2
FRAMES_PER_SECOND = 100
Result = dict[str, float]


def machine(device: torch.device) -> dict[str, object]:
    """Name what was measured on: the GPU and the versions, not the host."""
    found: dict[str, object] = {"torch": str(torch.__version__)}
    if device.type == "cuda":
        found |= {
            "gpu": torch.cuda.get_device_name(device),
            "memory_gb": round(torch.cuda.get_device_properties(device).total_memory / 1e9, 1),
            "cuda": str(torch.version.cuda),
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    return found


def measure_step(
    size: str, batch: int, precision: str, variant: str, device: torch.device, amount: Amount
) -> Result:
    """Measure the training step in one of its forms (`form_of`)."""
    params = in_precision(sized(size), precision, device)
    free_memory(device)
    rig = Rig(params, batch, device, ROWS)
    step = form_of(rig.learner, variant, device)
    return speed(milliseconds(lambda: rig.take(step), device, amount), batch, device)


def form_of(learner: Learner, variant: str, device: torch.device) -> Step:
    """Give the step in one form.

    eager             operation by operation, Adam in PyTorch's default form
    fused             the same with the learner's own Adam: fused, capturable
    graph             the project's: all of it one CUDA graph
    compile           forward and backward by torch.compile, with the learner's Adam
    reduce-overhead   the same in the mode that records CUDA graphs
    """
    if variant == "graph":
        return GraphedStep(learner.eager_step, learner.optimizer, learner.noise)
    if variant == "eager":
        group = learner.optimizer.param_groups[0]
        learner.optimizer = torch.optim.Adam(group["params"], group["lr"], group["betas"])
    if variant in ("eager", "fused"):
        return learner.eager_step
    torch._dynamo.reset()
    if device.type == "cuda":
        mode = "default" if variant == "compile" else variant
        learner.objective = torch.compile(learner.objective, mode=mode)
    else:
        learner.objective = torch.compile(learner.objective, backend="eager")

    def step(segments: Tensor, sequence: Tensor, counts: Tensor) -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return learner.eager_step(segments, sequence, counts)

    return step


def measure_logits(size: str, rows: int, device: torch.device, amount: Amount) -> Result:
    """Measure log q over so many sequences alone, forward and backward, and the step with it."""
    params = in_precision(sized(size), "float32", device)
    free_memory(device)
    alone = log_q_milliseconds(params, rows, device, amount)
    found = speed(alone, params.training.batch, device)
    form = "graph" if device.type == "cuda" else "fused"
    rig = Rig(params, params.training.batch, device, rows)
    step = form_of(rig.learner, form, device)
    return {**found, "step_ms": milliseconds(lambda: rig.take(step), device, amount)}


def log_q_milliseconds(params: Params, rows: int, device: torch.device, amount: Amount) -> float:
    """Time log q and its gradients, operation by operation."""
    batch, model = params.training.batch, params.model
    z2 = nn.Parameter(torch.randn(batch, model.z2, device=device))
    table = nn.Parameter(torch.randn(rows, model.z2, device=device))
    sequence = torch.randint(rows, (batch,), device=device)

    def take() -> None:
        z2.grad = table.grad = None
        loss: Tensor = log_q_sequence(z2, table, sequence, model.z2_std).mean()
        torch.autograd.backward(loss)

    return milliseconds(take, device, amount)


def measure_loss(size: str, cell: str, precision: str, device: torch.device) -> Result:
    """Compare loss and gradient with float32 on the CPU: equal weights, data and noise."""
    params = sized(size)
    changed: dict[str, Any] = {"cell": cell}
    model = replace(params.model, **changed)
    cpu = torch.device("cpu")
    in_precision(params, precision, device)
    found = []
    for place, kind in ((cpu, "float32"), (device, precision)):
        network = new_network(MELS, params.segments.frames, model, seed=0).to(place)
        networks: Networks = Bfloat16Networks(network) if kind == "bf16" else network
        loss = loss_with_given_noise(networks, params, place)
        torch.autograd.backward(loss)
        trained = [weight.grad for weight in network.parameters() if weight.grad is not None]
        gradient = torch.cat([one.flatten().cpu().double() for one in trained])
        found.append((loss.item(), gradient))
    (wanted, right), (loss_found, gradient_found) = found
    return {
        "relative_loss": abs(loss_found - wanted) / abs(wanted),
        "relative_gradient": float((gradient_found - right).norm() / right.norm()),
    }


def loss_with_given_noise(networks: Networks, params: Params, device: torch.device) -> Tensor:
    """Evaluate the objective on a batch that depends on nothing but its size."""
    draw = torch.Generator().manual_seed(0)
    batch, model = params.training.batch, networks.params
    segments = torch.randn(params.segments.frames, batch, MELS, generator=draw)
    noise = [torch.randn(batch, size, generator=draw) for size in (model.z2, model.z1)]
    table = torch.randn(ROWS, model.z2, generator=draw).to(device)
    sequence = torch.randint(ROWS, (batch,), generator=draw).to(device)
    counts = torch.full((batch,), 20.0, device=device)
    given = GivenNoiseNetworks(networks, *(one.to(device) for one in noise))
    unused = torch.Generator(device)
    terms = segment_terms(given, segments.to(device), table[sequence], counts, unused)
    log_q = log_q_sequence(terms.z2.mean, table, sequence, model.z2_std)
    return -(terms.lower_bound + params.alpha * log_q).mean()


def measure_validation(size: str, precision: str, utterances: int, device: torch.device) -> Result:
    """Measure a look at dev, and the table of mu2 in closed form, on utterances of 3 s."""
    params = in_precision(sized(size), precision, device)
    data = made_up_data(utterances, 3 * FRAMES_PER_SECOND).load(device)
    network = new_network(MELS, params.segments.frames, params.model, seed=0).to(device)
    dev = seconds(lambda: evaluate_dev(network, data, params.segments, 0, None), device)
    table = seconds(lambda: closed_form_table(network, data, params.segments), device)
    return {"hours_of_speech": utterances * 3 / 3600, "dev_seconds": dev, "table_seconds": table}


def measure_extraction(size: str, precision: str, utterances: int, device: torch.device) -> Result:
    """Measure latents for every frame (shift 1) of utterances of 3 s."""
    params = in_precision(sized(size), precision, device)
    network = new_network(MELS, params.segments.frames, params.model, seed=0)
    trained = TrainedModel(
        network.to(device).eval().requires_grad_(False), params.segments, params.fbank
    )
    packed = made_up_frames(utterances, 3 * FRAMES_PER_SECOND)
    free_memory(device)
    taken = seconds(lambda: infer_latents(trained, packed, shift=1), device)
    rate = len(packed.rows) / taken
    return {"frames_per_second": rate, "times_real_time": rate / FRAMES_PER_SECOND}


def measure_blocks(
    size: str, sequences: int, frames: int, passes: int, device: torch.device
) -> Result:
    """Measure what is lost when the next block is read beside the training on the present one.

    The same sequences, in float16 on disk (in the page cache, once written), are trained on
    from memory, and as blocks that hold all of them and are read again for each pass. Both
    refill the table at each pass.
    """
    params = in_precision(sized(size), "float32", device)
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "train"
        with PackedWriter(stem, "float16", (MELS,)) as writer:
            for name, rows in made_up_frames(min(sequences, 100), frames).items():
                for copy in range(-(-sequences // 100)):
                    writer.append(f"{name}-{copy:04}", rows)
        packed = read_packed(stem)
        data = open_sequences([packed], dict.fromkeys(packed.utterance_ids, ""), "utterance")
        flat, streamed = (
            pass_milliseconds(params, data, count, passes, Path(folder), device)
            for count in (0, len(data))
        )
    lost = streamed / flat - 1
    return {"ms": streamed, "ms_from_memory": flat, "share_lost": lost}


def pass_milliseconds(
    params: Params, data: Sequences, block: int, passes: int, folder: Path, device: torch.device
) -> float:
    """Time whole passes, all that a pass needs included, per step."""
    free_memory(device)
    training = replace(params.training, block_sequences=block, average=0.0)
    setting = Setting(params.alpha, 0, params.segments, params.model, training)
    dev = made_up_data(2, 3 * FRAMES_PER_SECOND).load(device)
    trainer = Trainer(setting, data, dev, Checkpoint({}, folder))

    def one_pass() -> None:
        trainer.train_step()  # draws the pass
        assert trainer.current is not None
        while trainer.progress.batch < len(trainer.current):
            trainer.train_step()

    taken = seconds(one_pass, device, rounds=passes)
    trainer.blocks.close()
    assert trainer.current is not None
    return 1e3 * taken / len(trainer.current)
