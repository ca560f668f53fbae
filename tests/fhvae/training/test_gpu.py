"""Training on a GPU: graphs, precision, memory, blocks read beside the step, checkpoints.

What needs no GPU runs on every machine; the rest is marked `gpu` and skipped without one
(`make gpu`).
"""

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import fhvae.training.learner as learner_module
from fhvae.device import choose_device
from fhvae.errors import ParamsError, TrainingError
from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.network import new_network
from fhvae.model.objective import log_q_sequence, segment_terms
from fhvae.training import batches as batches_module
from fhvae.training.batches import Blocks
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.learner import (
    WARM_UP_STEPS,
    Bfloat16Networks,
    GraphedStep,
    Learner,
    set_precision,
)
from fhvae.training.loop import Trainer
from fhvae.training.world import World
from tests.pretend_graph import pretend
from tests.training_factory import MELS, make_sequences, make_setting

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
CELLS = ("lstm", "gru", "rnn", "dense")
ROWS, BATCH, FRAMES = 9, 8, 5
each_cell = pytest.mark.parametrize("cell", CELLS)


def on_gpu(test):
    """Mark a test that needs CUDA."""
    absent = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")
    return pytest.mark.gpu(absent(test))


@pytest.fixture
def native_layers():
    """Without oneDNN: its LSTM keeps a buffer of its own, and bfloat16 wants a new processor."""
    with torch.backends.mkldnn.flags(enabled=False):
        yield


@pytest.fixture(autouse=True)
def precision_as_it_was():
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


def make_learner(device=CPU, **changes) -> Learner:
    setting = make_setting(**changes)
    sizes = setting.segments, setting.model, setting.training
    return Learner(MELS, ROWS, setting.alpha, setting.seed, *sizes, device, World())


def make_trainer(folder, device=CPU, name="run", **changes) -> Trainer:
    dev = make_sequences(utterances=6, speakers=2, seed=2).load(device)
    train = make_sequences(utterances=9, speakers=3, seed=1)
    checkpoint, decibel = Checkpoint({"name": name}, folder), torch.full((MELS,), 0.1)
    return Trainer(make_setting(**changes), train, dev, checkpoint, decibel=decibel)


def batches(count, device=CPU):
    """Draw batches of segments that differ by sequence."""
    draw = torch.Generator().manual_seed(3)
    for _ in range(count):
        sequence = torch.randint(ROWS, (BATCH,), generator=draw)
        segments = torch.randn(FRAMES, BATCH, MELS, generator=draw) + sequence[:, None] / ROWS
        counts = torch.full((BATCH,), 4.0)
        yield tuple(one.to(device) for one in (segments, sequence, counts))


def weights_of(learner) -> torch.Tensor:
    """Put all that is trained end to end, on the CPU."""
    parts = [*learner.network.parameters(), learner.table]
    return torch.cat([part.detach().flatten().cpu() for part in parts])


def state_of(learner) -> list[torch.Tensor]:
    states = [list(state.values()) for state in learner.optimizer.state.values()]
    return [*learner.network.parameters(), learner.table, *(one for own in states for one in own)]


@pytest.mark.usefixtures("native_layers")
@each_cell
@pytest.mark.parametrize("skip_nearest", [0, 2])
def test_a_replayed_step_is_the_step_bit_by_bit(monkeypatch, cell, skip_nearest):
    plain, graphed = (make_learner(cell=cell, skip_nearest=skip_nearest) for _ in range(2))
    noted = pretend(monkeypatch, lambda: state_of(graphed))
    graphed._step = GraphedStep(graphed.eager_step, graphed.optimizer, graphed.noise)
    steps = WARM_UP_STEPS + 9
    for segments, *rest in batches(steps):
        seen = [segments.roll(1, dims=2)] if skip_nearest else []  # as the encoders see them
        batch = segments, *rest, *seen
        assert torch.equal(plain.step(*batch), graphed.step(*batch))
    assert torch.equal(weights_of(plain), weights_of(graphed))
    assert torch.equal(plain.noise.get_state(), graphed.noise.get_state())
    assert noted["graph"].replays == steps - WARM_UP_STEPS
    assert noted["graph"].generators == [graphed.noise]
    assert noted["capture_error_mode"] == "thread_local"


def test_a_step_that_counts_in_python_would_show(monkeypatch):
    """The pretended graph does what it is for: it repeats what was recorded, with the old count."""
    learner, taken = make_learner(), []

    def counting(segments, sequence, counts):
        taken.append(1)
        return segments.sum() * 0 + len(taken)

    pretend(monkeypatch, lambda: state_of(learner))
    step = GraphedStep(counting, learner.optimizer, learner.noise)
    found = [float(step(*batch)) for batch in batches(WARM_UP_STEPS + 3)]
    assert found == [*range(1, WARM_UP_STEPS + 1), *[WARM_UP_STEPS + 1] * 3]


@pytest.mark.usefixtures("native_layers")
def test_a_resumed_learner_records_anew(monkeypatch):
    learner = make_learner()
    pretend(monkeypatch, lambda: state_of(learner))
    learner._recorded = True
    learner._step = first = learner._new_step()
    for batch in batches(WARM_UP_STEPS + 1):
        learner.step(*batch)
    learner.load_state_dict(learner.state_dict())
    assert isinstance(learner._step, GraphedStep)
    assert learner._step is not first


class Operations(TorchDispatchMode):
    """Notes the names of operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name().split(".")[0].split("::")[1])
        return function(*args, **(kwargs or {}))


# `.item()`, torch.tensor(...), a copy between devices, and what needs the size of its result
WAITS = {"_local_scalar_dense", "item", "lift_fresh", "_to_copy", "nonzero", "masked_select"}
WAITS |= {"unique", "_unique2", "bincount", "equal", "is_nonzero", "repeat_interleave"}


@each_cell
def test_nothing_in_a_step_waits_for_the_device_or_copies_from_the_host(tmp_path, cell):
    """Either would be refused while a step is recorded, and slow at any other time."""
    levers = {"skip_nearest": 2, "mask_mels": 3, "gain_db": 6.0, "noise_floor_db": (-30.0, -10.0)}
    run = make_trainer(tmp_path, cell=cell, average=0.9, **levers)
    for _ in range(2):
        run.train_step()
    assert run.progress.batch < len(run.current)
    with Operations() as seen:
        run.train_step()
    assert {"randn", "index_select", "_fused_adam_", "index_add"} <= seen.names
    assert seen.names.isdisjoint(WAITS)
    with Operations() as seen:
        float(run.sums[0])
    assert seen.names & WAITS  # and the test would see it


@dataclasses.dataclass(frozen=True)
class GivenNoise(DiagonalGaussian):
    """A Gaussian whose sample is mean + standard deviation * epsilon, on any device."""

    epsilon: torch.Tensor

    def sample(self, noise):
        return self.mean + torch.exp(0.5 * self.log_variance) * self.epsilon


class GivenNoiseNetworks:
    """Networks, with the noise of one batch."""

    def __init__(self, networks, epsilon2, epsilon1):
        self.params, self.networks, self.decode = networks.params, networks, networks.decode
        self.epsilon2, self.epsilon1 = epsilon2, epsilon1

    def encode_z2(self, segments):
        found = self.networks.encode_z2(segments)
        return GivenNoise(found.mean, found.log_variance, self.epsilon2)

    def encode_z1(self, segments, z2):
        found = self.networks.encode_z1(segments, z2)
        return GivenNoise(found.mean, found.log_variance, self.epsilon1)


def given_noise(model):
    draw = torch.Generator().manual_seed(5)
    return [torch.randn(BATCH, size, generator=draw) for size in (model.z2, model.z1)]


def loss_of(networks, table, device, alpha=10.0):
    """Evaluate the objective on one batch with given noise; the same on every device."""
    (segments, sequence, counts), *_ = batches(1, device)
    noise = [epsilon.to(device) for epsilon in given_noise(networks.params)]
    generator = torch.Generator(device)
    terms = segment_terms(
        GivenNoiseNetworks(networks, *noise), segments, table[sequence], counts, generator
    )
    log_q = log_q_sequence(terms.z2.mean, table, sequence, networks.params.z2_std)
    return -(terms.lower_bound + alpha * log_q).mean()


def made_up_table(device=CPU):
    return torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(6)).to(device)


@pytest.mark.usefixtures("native_layers")
@each_cell
def test_bfloat16_networks_are_close_to_float32_and_train_its_weights(cell):
    network = new_network(MELS, FRAMES, make_setting(cell=cell).model, seed=0)
    losses, gradients = [], []
    for networks in (network, Bfloat16Networks(network)):
        network.zero_grad()
        loss = loss_of(networks, made_up_table(), CPU)
        loss.backward()
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        gradients.append(torch.cat([weight.grad.flatten() for weight in trained]))
        losses.append(loss.item())
        assert loss.dtype == gradients[-1].dtype == torch.float32
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    assert losses[1] != losses[0]
    assert (gradients[1] - gradients[0]).norm() < 0.05 * gradients[0].norm()


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_cpu_computes_in_float32_only(precision):
    with pytest.raises(ParamsError, match=f"must be float32 on a CPU, got {precision}; run on"):
        set_precision(precision, CPU)
    set_precision("float32", CPU)


@pytest.mark.parametrize(
    ("precision", "allowed"), [("float32", False), ("tf32", True), ("bf16", True)]
)
def test_precision_of_a_gpu_is_set_for_products_and_for_recurrent_layers(precision, allowed):
    for before in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = before
        set_precision(precision, CUDA)
        assert torch.backends.cuda.matmul.allow_tf32 == allowed
        assert torch.backends.cudnn.allow_tf32 == allowed


@pytest.mark.parametrize("allowed", [False, True])
def test_logits_are_float32_whatever_is_allowed_to_the_networks(monkeypatch, allowed):
    seen = []

    def noted(*arguments):
        seen.append(torch.backends.cuda.matmul.allow_tf32)
        return log_q_sequence(*arguments)

    monkeypatch.setattr(learner_module, "log_q_sequence", noted)
    torch.backends.cuda.matmul.allow_tf32 = allowed
    for batch in batches(1):
        make_learner().step(*batch)
    assert seen == [False]
    assert torch.backends.cuda.matmul.allow_tf32 == allowed


def test_stages_that_do_not_train_compute_in_float32(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_RANK", "3")
    torch.backends.cudnn.allow_tf32 = True
    assert choose_device() == torch.device("cuda", 3)
    assert chosen == [torch.device("cuda", 3)]
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_thread_that_reads_blocks_takes_the_gpu_of_its_process(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    batches_module._use(CPU)
    batches_module._use(torch.device("cuda", 3))
    assert chosen == [torch.device("cuda", 3)]


def blocks_on_gpu(sequences, count, monkeypatch, share):
    """Make blocks on a device whose free memory is a multiple of all frames."""
    free = int(share * sequences.frame_bytes)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    return Blocks(sequences, count, make_setting().segments, BATCH, 0, CUDA, World())


@pytest.mark.parametrize(
    ("count", "too_little", "enough"),
    [pytest.param(0, 1.2, 1.3, id="all"), pytest.param(3, 0.8, 0.9, id="two-blocks-of-a-third")],
)
def test_frames_that_do_not_fit_on_the_device_are_refused(monkeypatch, count, too_little, enough):
    sequences = make_sequences(utterances=9, speakers=3, seed=1)
    message = (
        r"frames must fit on the device, they are \d+\.\d GB and \d+\.\d GB are free; set "
        r"training\.block_sequences \(docs/scaling\.md\), or fbank\.store to float16$"
    )
    with pytest.raises(TrainingError, match=message):
        blocks_on_gpu(sequences, count, monkeypatch, too_little)
    blocks_on_gpu(sequences, count, monkeypatch, enough)
    half = make_half(sequences)
    assert half.frame_bytes == sequences.frame_bytes / 2


def make_half(sequences):
    """Store the frames in half precision."""
    (packed,) = sequences.copies
    half = dataclasses.replace(packed, rows=packed.rows.astype(np.float16))
    return dataclasses.replace(sequences, copies=(half,))


# --- from here on with a GPU ---


def apart(first, second, begin) -> float:
    """Measure how far two courses end from each other, as a share of the way they went.

    Sums on a GPU have no fixed order (gradients of the table), and Adam makes a step of full
    length of the smallest gradient: weights are never equal bit by bit.
    """
    return float((first - second).norm() / (first - begin).norm())


@on_gpu
@each_cell
def test_the_graph_takes_the_steps_of_the_eager_learner(cell):
    eager, graphed = (make_learner(CUDA, cell=cell) for _ in range(2))
    begin = weights_of(eager)
    eager._step = eager.eager_step
    assert isinstance(graphed._step, GraphedStep)
    for batch in batches(WARM_UP_STEPS + 20, CUDA):
        wanted, found = eager.step(*batch), graphed.step(*batch)
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert graphed._step._graph is not None
    assert apart(weights_of(graphed), weights_of(eager), begin) < 0.01
    assert torch.equal(graphed.noise.get_state(), eager.noise.get_state())


@on_gpu
def test_recording_takes_no_step_and_replays_take_one_each():
    learner = make_learner(CUDA)
    for number, batch in enumerate(batches(WARM_UP_STEPS + 5, CUDA), start=1):
        learner.step(*batch)
        counts = {int(state["step"]) for state in learner.optimizer.state.values()}
        assert counts == {number}


@on_gpu
@each_cell
def test_no_step_waits_for_the_gpu(tmp_path, cell):
    run = make_trainer(tmp_path, CUDA, cell=cell, average=0.9)
    while run.progress.step < WARM_UP_STEPS + 2 or run.progress.batch == len(run.current):
        run.train_step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.train_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@on_gpu
@each_cell
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("tf32", 1e-3), ("bf16", 1e-2)]
)
def test_the_loss_is_that_of_the_cpu(cell, precision, tolerance):
    network = new_network(MELS, FRAMES, make_setting(cell=cell).model, seed=0)
    wanted = loss_of(network, made_up_table(), CPU).item()
    set_precision(precision, CUDA)
    network.to(CUDA)
    networks = Bfloat16Networks(network) if precision == "bf16" else network
    found = loss_of(networks, made_up_table(CUDA), CUDA).item()
    assert found == pytest.approx(wanted, rel=tolerance)


@on_gpu
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_bf16_on_a_gpu_is_not_float16(cell):
    """Beyond 65,504 float16 is infinite; PyTorch's autocast would take it for these layers."""
    network = new_network(MELS, FRAMES, make_setting(cell=cell).model, seed=0).to(CUDA)
    outputs = []
    network.z2_encoder.head.register_forward_hook(
        lambda module, inputs, found: outputs.append(inputs[0])
    )
    (segments, *_), *_ = batches(1, CUDA)
    found = Bfloat16Networks(network).encode_z2(1e6 * segments)
    assert outputs[0].dtype == torch.bfloat16
    assert torch.isfinite(found.mean).all()


@on_gpu
@each_cell
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_the_bound_rises_on_a_gpu(tmp_path, cell, precision):
    set_precision(precision, CUDA)
    changes = {"max_epochs": 30, "patience": 30, "learning_rate": 0.01, "precision": precision}
    run = make_trainer(tmp_path, CUDA, cell=cell, alpha=0.0, **changes).run()
    assert run.curve[-1].train.lower_bound > run.curve[0].train.lower_bound + 5
    assert all(weight.device == CPU for weight in run.weights.values())


@on_gpu
@pytest.mark.parametrize("block_sequences", [0, 6])
def test_training_on_a_gpu_is_that_of_the_cpu_in_law(tmp_path, block_sequences):
    changes = {"block_sequences": block_sequences, "epoch_steps": 25, "max_epochs": 2}
    seeds = 8
    found = {"train": [], "dev": [], "log_q": []}
    for device in (CPU, CUDA):
        set_precision("float32", device)
        runs = [
            make_trainer(tmp_path, device, f"{device}-{seed}", seed=seed, **changes).run()
            for seed in range(seeds)
        ]
        found["train"].append([run.curve[-1].train.lower_bound for run in runs])
        found["dev"].append([run.curve[-1].dev.lower_bound for run in runs])
        found["log_q"].append([run.curve[-1].train.log_q for run in runs])
    for key, values in found.items():
        both = np.array(values)
        error = np.sqrt(both.var(axis=1, ddof=1).sum() / seeds)
        assert abs(both[0].mean() - both[1].mean()) < 4 * error + 1e-3, (key, both)


class KilledError(Exception):
    """Stands for kill -9."""


@on_gpu
@pytest.mark.parametrize("at_step", [3, WARM_UP_STEPS + 6])
@pytest.mark.parametrize("block_sequences", [0, 4])
def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path, monkeypatch, at_step, block_sequences):
    changes = {"block_sequences": block_sequences, "average": 0.9, "max_epochs": 6}
    whole = make_trainer(tmp_path, CUDA, "whole", **changes)
    begin = weights_of(whole.learner)
    whole.run()
    real = Trainer.train_step

    def dying(self):
        if self.progress.step == at_step:
            raise KilledError
        real(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KilledError):
        make_trainer(tmp_path, CUDA, "killed", **changes).run()
    monkeypatch.setattr(Trainer, "train_step", real)
    resumed = make_trainer(tmp_path, CUDA, "killed", **changes)
    resumed.run()
    assert resumed.progress.step == whole.progress.step == 30
    assert torch.equal(resumed.learner.noise.get_state(), whole.learner.noise.get_state())
    assert apart(weights_of(resumed.learner), weights_of(whole.learner), begin) < 0.01
    steps = {int(state["step"]) for state in resumed.learner.optimizer.state.values()}
    assert steps == {int(state["step"]) for state in whole.learner.optimizer.state.values()}


@on_gpu
def test_a_block_that_was_read_ahead_has_its_frames_while_steps_are_recorded(tmp_path):
    run = make_trainer(tmp_path, CUDA, block_sequences=4)
    wanted = Blocks(run.blocks._sequences, 4, run.setting.segments, BATCH, 0, CPU, World())
    seen = set()
    while run.progress.step < 3 * WARM_UP_STEPS:
        run.train_step()
        number = run.block.number
        if number not in seen:
            seen.add(number)
            data = wanted.take(number).data
            torch.testing.assert_close(run.block.data.frames.cpu(), data.frames, rtol=0, atol=0)
            assert run.block.data.sequence.tolist() == data.sequence.tolist()
    assert len(seen) > 2
    assert run.learner._step._graph is not None
    wanted.close()
    run.blocks.close()


@on_gpu
@pytest.mark.parametrize("block_sequences", [0, 4])
def test_half_precision_frames_stay_so_on_the_gpu(tmp_path, block_sequences):
    half = make_half(make_sequences(utterances=9, speakers=3, seed=1))
    dev = make_half(make_sequences(utterances=6, speakers=2, seed=2)).load(CUDA)
    setting = make_setting(block_sequences=block_sequences, max_epochs=4)
    run = Trainer(setting, half, dev, Checkpoint({}, tmp_path))
    result = run.run()
    assert dev.frames.dtype == run.block.data.frames.dtype == torch.float16
    assert run.block.data.frames.device == CUDA
    assert all(np.isfinite(record.dev.lower_bound) for record in result.curve)


@on_gpu
def test_a_gpu_that_is_full_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 2))
    with pytest.raises(TrainingError, match="frames must fit on the device"):
        make_trainer(tmp_path, CUDA)
