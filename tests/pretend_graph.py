"""CUDA graphs, pretended on a CPU: operations are noted and done again, and nothing else is.

What a recorded step must not depend on (numbers of Python that change, new places of tensors)
shows as a difference to the step that is simply run. As with CUDA, recording changes no tensor
that was there before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Recorder(TorchDispatchMode):
    """Notes every operation with its arguments and results."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if function.namespace == "aten":
            self.noted.append((function, args, kwargs or {}, found))
        return found


class PretendGraph:
    """Stands for torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.generators: list[torch.Generator] = []
        self.replays = 0

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for function, args, kwargs, result in self.recorder.noted:
                alias = [one.alias_info for one in function._schema.returns]
                writes = any(one.alias_info and one.alias_info.is_write
                             for one in function._schema.arguments)  # fmt: skip
                if writes:
                    function(*args, **kwargs)
                elif not any(alias):  # a view of what has changed needs nothing
                    put(result, function(*args, **kwargs))


def put(old: Any, new: Any) -> None:
    """Write results where the recorded ones are."""
    if isinstance(old, Tensor):
        old.copy_(new)
    elif isinstance(old, (list, tuple)):
        for one, other in zip(old, new, strict=True):
            put(one, other)


class Stream:
    """Stands for torch.cuda.Stream."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.waited_for: list[Stream] = []

    def wait_stream(self, other: "Stream") -> None:
        self.waited_for.append(other)


def pretend(monkeypatch: pytest.MonkeyPatch, kept: Callable[[], list[Tensor]]) -> dict[str, Any]:
    """Put pretended graphs in place of CUDA's.

    Args:
        monkeypatch: undoes it.
        kept: gives the tensors and that must be after a recording what they were before.

    Returns:
        What `torch.cuda.graph` was called with, and the graph, once it has been.
    """
    seen: dict[str, Any] = {}
    main = Stream()

    @contextmanager
    def graph(one: PretendGraph, **options: Any) -> Iterator[None]:
        seen.update(options, graph=one)
        before = [tensor.detach().clone() for tensor in kept()]
        states = [generator.get_state() for generator in one.generators]
        with one.recorder:
            yield
        with torch.no_grad():
            for tensor, value in zip(kept(), before, strict=True):
                tensor.copy_(value)
        for generator, state in zip(one.generators, states, strict=True):
            generator.set_state(state)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", PretendGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: main)
    return seen
