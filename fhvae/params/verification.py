"""Section `verification`: trials and back-ends."""

from dataclasses import dataclass

from fhvae.errors import ParamsError
from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class VerificationParams:
    """Back-ends and intervals of speaker verification."""

    lda_dimensions: tuple[int, ...] = number(least=1)
    most_trials: int = number(least=100)
    bootstrap: int = number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a list cannot be used."""
        dimensions = self.lda_dimensions
        if not dimensions or len(set(dimensions)) < len(dimensions):
            raise ParamsError(
                f"verification.lda_dimensions must list different numbers, got {list(dimensions)}"
            )
