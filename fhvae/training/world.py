"""The processes that train one model together: one on each GPU, started by torchrun.

    torchrun --nproc-per-node 4 -m stages.train ...        docs/scaling.md, "Several GPUs"

Sums go through torch.distributed: nccl on GPUs, gloo on CPUs. Rank 0 alone looks at dev and
writes. A single process, the usual case, is a world of size 1 and communicates nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from fhvae.errors import ParamsError, TrainingError

PATIENCE = timedelta(minutes=30)  # for rank 0 while it looks at dev
Value = TypeVar("Value")


@dataclass(frozen=True)
class World:
    """Which of how many processes this is.

    Attributes:
        rank: from 0; rank 0 writes.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process looks at dev, writes files and shows progress."""
        return self.rank == 0

    def share_of_batch(self, batch: int) -> int:
        """Count the segments of a batch that each process takes.

        Raises:
            ParamsError: the batch does not divide evenly.
        """
        if batch % self.size:
            raise ParamsError(
                f"training.batch must be a multiple of the {self.size} processes that train "
                f"together, got {batch}"
            )
        return batch // self.size

    def sum(self, tensor: Tensor) -> Tensor:
        """Add a tensor up over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool, device: torch.device) -> bool:
        """Tell whether the flag is up in any process."""
        return bool(self.sum(torch.tensor(int(flag), device=device))) if self.size > 1 else flag

    def from_first(self, value: Value) -> Value:
        """Give every process the value that rank 0 has."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def all_values(self, value: Value) -> list[Value]:
        """Give every process the values of all, by rank."""
        if self.size == 1:
            return [value]
        box: list[Any] = [None] * self.size
        dist.all_gather_object(box, value)
        return box


@contextmanager
def joined_world(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started; alone if it did not.

    Raises:
        TrainingError: another process is gone.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:  # some clusters set the size for their own ends
        yield World()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield World(dist.get_rank(), size)
    except dist.DistError as error:
        raise _gone(error) from error
    except RuntimeError as error:  # gloo raises it for a closed connection
        if "gloo" not in str(error).lower() and "connection" not in str(error).lower():
            raise
        raise _gone(error) from error
    finally:
        dist.destroy_process_group()


def _gone(error: Exception) -> TrainingError:
    reason = " ".join(str(error).split())[:120]
    return TrainingError(
        f"all {os.environ['WORLD_SIZE']} processes must train to the end, another one is gone "
        f"({reason}); look for its message, then run the same command again: it goes on from "
        "the last checkpoint"
    )
