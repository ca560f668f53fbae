"""Section `verification`: trials and back-ends."""

from dataclasses import dataclass

from fhvae.errors import ParamsError
from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class VerificationParams:
    """Back-ends and intervals of speaker verification."""

    lda_dimensions: tuple[int, ...] = number(least=1)
    plda_iterations: int = number(least=1)
    plda_floor: float = number(above=0, most=1)
    asnorm_cohort: int = number(least=2)
    priors: tuple[float, ...] = number(least=0.0001, most=0.9999)
    most_trials: int = number(least=100)
    bootstrap: int = number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a list cannot be used."""
        for key in ("lda_dimensions", "priors"):
            values = getattr(self, key)
            names = {f"{value:g}" for value in values}  # in the metrics
            if not values or len(names) < len(values):
                raise ParamsError(
                    f"verification.{key} must list different numbers, in six digits, "
                    f"got {list(values)}"
                )
