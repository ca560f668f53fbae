"""Factorized hierarchical variational autoencoder for speech (Hsu, Zhang, Glass, NIPS 2017).

    import fhvae
    model = fhvae.load()

What is named here is imported when it is first asked for: `import fhvae` costs nothing, and a
stage does not depend on what it does not use.
"""

import importlib
from typing import Any

_HOMES = {
    "load": "pretrained",
    "Model": "pretrained",
    "Encoding": "pretrained",
    "audio_files": "pretrained",
    "Audio": "recording",
    "FhvaeError": "errors",
    "Mu2Transformer": "transformer",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import the module that a name lives in."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"fhvae.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
