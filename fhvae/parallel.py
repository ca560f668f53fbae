"""Map a function over items in worker processes, in order, with a progress bar.

The result never depends on the number of workers; `FHVAE_WORKERS` sets it (default: all cores).
"""

import os
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from fhvae.errors import ParamsError
from fhvae.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    """Read the number of worker processes: `FHVAE_WORKERS`, else the usable cores."""
    text = os.environ.get("FHVAE_WORKERS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not text.isdigit() or int(text) < 1:
        raise ParamsError(f"FHVAE_WORKERS must be a whole number of at least 1, got {text!r}")
    return int(text)


def map_in_order(
    function: Callable[[Item], Result], items: Sequence[Item], label: str, unit: str = "utt"
) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, in the order of the items.

    Closing the generator ends the progress bar and the work not yet begun.
    """
    from joblib import Parallel, delayed

    workers = min(worker_count(), max(1, len(items)))
    results = Parallel(n_jobs=workers, return_as="generator")(
        delayed(function)(item) for item in items
    )
    yield from progress_bar(results, label, unit, total=len(items))
