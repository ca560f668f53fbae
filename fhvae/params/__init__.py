"""params.yaml as frozen dataclasses: one file per section, so that a stage knows those it reads.

`from fhvae.params import load_params` gives all of it, for work by hand.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Find what reads all sections; a stage that took it would depend on none of their files."""
    if name in ("load_params", "Params"):
        from fhvae.params import whole

        return getattr(whole, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
