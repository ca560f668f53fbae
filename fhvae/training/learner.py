"""What a step changes, and the step itself: networks, table of mu2, Adam, running average.

On a GPU the whole step (forward, backward, Adam) is one CUDA graph: the chip waits for some
hundred launches otherwise. Of several processes each takes its share of the batch, and DDP
averages the gradients, those of the table included.

A GPU computes in float32 as the CPU does, in TF32, or in bfloat16 inside the networks
(`training.precision`; what each costs in the loss is in docs/scaling.md). Samples, likelihoods,
KLs and logits are float32 in all of them.
"""

import gc
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fhvae.errors import ParamsError
from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.network import FHVAE, new_network
from fhvae.model.objective import log_q_sequence, loss_of, segment_terms
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.seeds import stream_seed
from fhvae.training.table import new_table
from fhvae.training.world import World

TERMS = 6  # lower bound, log p(x), KL z1, KL z2, log p(mu2), log q
WARM_UP_STEPS = 11  # before a graph is captured; they train like any other

Step = Callable[..., Tensor]


def set_precision(precision: Literal["float32", "tf32", "bf16"], device: torch.device) -> None:
    """Say how matrix products and LSTMs of this process compute; PyTorch's own default differs.

    Raises:
        ParamsError: the CPU has float32 only.
    """
    if device.type != "cuda":
        if precision != "float32":
            raise ParamsError(
                f"training.precision must be float32 on a CPU, got {precision}; "
                "run on a machine with CUDA, or set it to float32"
            )
        return
    torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    if precision == "bf16":  # weights are rounded, thus copied, at every step: that is meant
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")


@contextmanager
def float32_products() -> Iterator[None]:
    """Keep the matrix products of a forward pass in float32, whatever the networks do."""
    allowed = torch.backends.cuda.matmul.allow_tf32
    if allowed:
        torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        if allowed:
            torch.backends.cuda.matmul.allow_tf32 = True


class Bfloat16Networks:
    """The networks, evaluated in bfloat16; what comes out is float32."""

    def __init__(self, network: FHVAE) -> None:
        self.network, self.params = network, network.params
        self._device = next(network.parameters()).device.type

    def encode_z2(self, segments: Tensor) -> DiagonalGaussian:
        """See `FHVAE.encode_z2`."""
        with torch.autocast(self._device, torch.bfloat16):
            return _float32(self.network.encode_z2(segments))

    def encode_z1(self, segments: Tensor, z2: Tensor) -> DiagonalGaussian:
        """See `FHVAE.encode_z1`."""
        with torch.autocast(self._device, torch.bfloat16):
            return _float32(self.network.encode_z1(segments, z2))

    def decode(self, z1: Tensor, z2: Tensor, frames: int) -> DiagonalGaussian:
        """See `FHVAE.decode`."""
        with torch.autocast(self._device, torch.bfloat16):
            return _float32(self.network.decode(z1, z2, frames))


def _float32(gaussian: DiagonalGaussian) -> DiagonalGaussian:
    return DiagonalGaussian(gaussian.mean.float(), gaussian.log_variance.float())


class TrainedParts(nn.Module):
    """Networks and table as one module: what is differentiated, and what DDP wraps."""

    def __init__(
        self,
        network: FHVAE,
        table: nn.Parameter,
        alpha: float,
        noise: torch.Generator,
        training: TrainingParams,
    ) -> None:
        super().__init__()
        self.network, self.table = network, table
        self.alpha, self.noise = alpha, noise
        self.skip_nearest = training.skip_nearest
        bf16 = training.precision == "bf16"
        self._evaluated = Bfloat16Networks(network) if bf16 else network

    def forward(
        self, segments: Tensor, sequence: Tensor, counts: Tensor, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Evaluate a batch.

        Args:
            segments: `[frame, segment, mel]`.
            sequence: `[segment]`, rows of the table.
            counts: `[segment]`, segments of each one's sequence.
            seen: what the encoders see of `segments`; None: all.

        Returns:
            The loss, and the means of the terms, `[TERMS]`, without gradient.
        """
        mu2 = self.table.index_select(0, sequence)
        terms = segment_terms(self._evaluated, segments, mu2, counts, self.noise, seen)
        # differences of large numbers: the norms of z2 and mu2 (fhvae/model/objective.py)
        with torch.set_grad_enabled(self.alpha > 0), float32_products():
            z2_std = self.network.params.z2_std
            rows = terms.z2.mean, self.table, sequence
            log_q = log_q_sequence(*rows, z2_std, self.skip_nearest)
        bound = terms.lower_bound
        loss = loss_of(bound, log_q, self.alpha)
        with torch.no_grad():
            parts = (bound, terms.log_px, terms.kl_z1, terms.kl_z2, terms.log_pmu2, log_q)
            means = torch.stack([part.mean() for part in parts])
        return loss, means


class RunningAverage:
    """The weights averaged over steps, a step of n steps ago weighing share^n.

    It is what dev is shown, and what is kept: about the last 1 / (1 - share) steps, or all of
    them where there were fewer. Nothing in an update waits for the device; PyTorch's
    AveragedModel has a counter that does.

    Source:
        docs/decisions/0013-average.md
    """

    def __init__(self, network: FHVAE, share: float) -> None:
        """Begin with a copy of the network, of which the first update leaves nothing."""
        self.network: FHVAE = deepcopy(network).requires_grad_(False)
        for module in self.network.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # one block again for cuDNN, after the copy
        self.share = share
        self.updates = 0

    @torch.no_grad()
    def update(self, network: FHVAE) -> None:
        """Take in the weights after a step.

        An average that starts at zero, m = share m + (1 - share) w, divided by the weight it
        has gathered, 1 - share^u (Adam's debiasing), moves by (1 - share) / (1 - share^u) of
        the way to w: no second copy of the weights, and no zero to start from.
        """
        self.updates += 1
        moved = (1 - self.share) / (1 - self.share**self.updates)
        averaged: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(averaged, current, moved)

    def state_dict(self) -> dict[str, Any]:
        """Give all that a resume needs."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.updates = int(state["updates"])


class Learner:
    """The weights of a run and how a batch changes them."""

    def __init__(
        self,
        mels: int,
        rows: int,
        alpha: float,
        seed: int,
        segments: SegmentsParams,
        model: ModelParams,
        training: TrainingParams,
        device: torch.device,
        world: World,
    ) -> None:
        """Draw the first weights; `rows` is the size of the table.

        Raises:
            ParamsError: no row is left to tell a segment's own from.
        """
        if training.skip_nearest > rows - 2:
            raise ParamsError(
                f"training.skip_nearest must be at most {rows - 2}, so that of {rows} sequences "
                f"two are left to be told apart, got {training.skip_nearest}"
            )
        # The one use of PyTorch's global generator: initial weights, then the table.
        self.network = new_network(mels, segments.frames, model, seed).to(device)
        self.table = new_table(rows, model, device)
        stream = ("noise", world.rank) if world.rank else ("noise",)
        self.noise = torch.Generator(device).manual_seed(stream_seed(seed, *stream))
        objective = TrainedParts(self.network, self.table, alpha, self.noise, training)
        on_gpu = device.type == "cuda"
        self.objective: Callable[..., tuple[Tensor, Tensor]] = objective
        if world.size > 1:
            self.objective = DistributedDataParallel(objective)
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(
            [*trained, self.table],
            lr=training.learning_rate,
            betas=(training.adam_beta1, training.adam_beta2),
            fused=True,
            capturable=on_gpu,  # by several processes too: one may go on from their checkpoint
        )
        self.average = RunningAverage(self.network, training.average) if training.average else None
        self._recorded = on_gpu and world.size == 1
        self._step = self._new_step()

    def _new_step(self) -> Step:
        """Make the step; nothing of it is recorded yet."""
        if not self._recorded:
            return self.eager_step
        return GraphedStep(self.eager_step, self.optimizer, self.noise)

    def step(self, *batch: Tensor) -> Tensor:
        """Take one step of Adam; arguments and result as of `TrainedParts`, without the loss.

        On a GPU the next step overwrites the result.
        """
        means = self._step(*batch)
        if self.average is not None:
            self.average.update(self.network)
        return means

    def eager_step(self, *batch: Tensor) -> Tensor:
        """Take one step of Adam, operation by operation; the average is not told."""
        loss, means = self.objective(*batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return means

    @property
    def kept(self) -> FHVAE:
        """The networks that dev is shown and that are kept: averaged, if that is asked for."""
        return self.network if self.average is None else self.average.network

    @torch.no_grad()
    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take networks that were trained before for the first weights."""
        self.network.load_state_dict(dict(weights))
        if self.average is not None:
            self.average.network.load_state_dict(dict(weights))

    @torch.no_grad()
    def refill(self, table: Tensor) -> None:
        """Set the table; Adam's moments of a row stay, as in the authors' code.

        Source:
            docs/decisions/0014-hierarchical.md
        """
        self.table.copy_(table)

    def state_dict(self) -> dict[str, Any]:
        """Give all that a resume needs, but for the noise."""
        return {
            "network": self.network.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
            "table": self.table.detach(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        with torch.no_grad():
            self.table.copy_(state["table"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._step = self._new_step()  # a recorded one would go on with the moments of before


class GraphedStep:
    """A step that is recorded once and then replayed as one launch.

    The first steps run as they are, on the side stream of the recording, as PyTorch asks for;
    recording changes no weight. Arguments are copied to where the recorded step reads them, and
    every replay writes its result to the same place.
    """

    def __init__(
        self, step: Step, optimizer: torch.optim.Optimizer, noise: torch.Generator
    ) -> None:
        self._step, self._optimizer, self._noise = step, optimizer, noise
        self._done = 0
        self._stream: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._arguments: tuple[Tensor, ...] = ()
        self._means = torch.empty(0)

    def __call__(self, *arguments: Tensor) -> Tensor:
        """Take a step."""
        if self._done < WARM_UP_STEPS:
            self._done += 1
            return self._on_side_stream(arguments)
        if self._graph is None:
            self._record(arguments)
        assert self._graph is not None
        for kept, new in zip(self._arguments, arguments, strict=True):
            kept.copy_(new)
        self._graph.replay()
        return self._means

    def _on_side_stream(self, arguments: tuple[Tensor, ...]) -> Tensor:
        if self._stream is None:  # no other graph's, or the two would share cuBLAS's workspace
            self._stream = torch.cuda.Stream(self._noise.device)  # type: ignore[no-untyped-call]
        main = torch.cuda.current_stream()
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            means = self._step(*arguments)
        main.wait_stream(self._stream)
        return means

    def _record(self, arguments: tuple[Tensor, ...]) -> None:
        self._arguments = tuple(argument.clone() for argument in arguments)
        self._optimizer.zero_grad()  # so that gradients live where the graph's memory is
        gc.collect()  # an old graph that is freed meanwhile would spoil the new one
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._noise)
        # thread_local: the thread that reads the next block may go on (fhvae/training/batches.py)
        mode = "thread_local"
        with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode=mode):
            self._means = self._step(*self._arguments)
