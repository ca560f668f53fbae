"""Section `domains`: degraded copies."""

from dataclasses import dataclass

from fhvae.errors import ParamsError
from fhvae.params.domain_names import AURORA_SET, AURORA_TEST, AURORA_TRAIN, DomainOrSet, Noise
from fhvae.params.reading import number


def _spelled_out(names: tuple[str, ...], members: tuple[str, ...]) -> tuple[str, ...]:
    found = [one for name in names for one in (members if name == AURORA_SET else (name,))]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, kw_only=True)
class DomainsParams:
    """Degraded copies: of train and dev to learn from, of test to be tested on.

    Copies in `topline` meet the kinds of noise of test: recognizers that say what could be reached
    at best learn from them, and nothing else does.
    """

    train: tuple[DomainOrSet, ...]
    topline: tuple[DomainOrSet, ...]
    test: tuple[DomainOrSet, ...]
    train_noises: tuple[Noise, ...]
    test_noises: tuple[Noise, ...]
    noise_path: str | None
    active_range_db: float = number(above=0)
    babble_voices: int = number(least=1)
    aurora_train_db: tuple[float, ...] = number(least=-40, most=60)
    aurora_test_db: tuple[float, ...] = number(least=-40, most=60)
    aurora_noisy: float = number(least=0, most=1)
    aurora_second_microphone: float = number(least=0, most=1)
    room_rt60_s: tuple[float, ...] = number(least=0.01, most=10)
    room_direct_to_reverb_db: tuple[float, ...] = number(least=-40, most=40)

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        for key in ("train", "topline", "test", "train_noises", "test_noises"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ParamsError(f"domains.{key} must name each once, got {', '.join(values)}")
        for key in (
            "room_rt60_s",
            "room_direct_to_reverb_db",
            "aurora_train_db",
            "aurora_test_db",
        ):
            values = getattr(self, key)
            if len(values) != 2 or values[0] > values[1]:
                raise ParamsError(
                    f"domains.{key} must list a smallest and a largest, got {list(values)}"
                )
        self._check_noises()

    def _check_noises(self) -> None:
        shared = sorted(set(self.train_noises) & set(self.test_noises))
        if shared:
            raise ParamsError(
                "domains.train_noises and domains.test_noises must share no kind, so that test "
                f"noise is new to all but toplines, both have {', '.join(shared)}"
            )
        for part, kinds in (("train", "train"), ("topline", "test"), ("test", "test")):
            noisy = [name for name in getattr(self, part) if name.startswith("noise")]
            if noisy and not getattr(self, f"{kinds}_noises"):
                raise ParamsError(
                    f"domains.{kinds}_noises must name a kind of noise for {noisy[0]} in "
                    f"domains.{part}, got an empty list"
                )
        if ("folder" in (*self.train_noises, *self.test_noises)) != (self.noise_path is not None):
            raise ParamsError(
                "domains.noise_path must name a folder if and only if folder is in "
                f"domains.train_noises or domains.test_noises, got {self.noise_path}"
            )


def learned_domains(domains: DomainsParams) -> tuple[str, ...]:
    """Spell `domains.train` out: `aurora4` stands for its training mixture."""
    return _spelled_out(domains.train, AURORA_TRAIN)


def topline_domains(domains: DomainsParams) -> tuple[str, ...]:
    """Spell `domains.topline` out, as `learned_domains` does."""
    return _spelled_out(domains.topline, AURORA_TRAIN)


def scored_domains(domains: DomainsParams) -> tuple[str, ...]:
    """Spell `domains.test` out: `aurora4` stands for its 13 noisy and filtered tests."""
    return _spelled_out(domains.test, AURORA_TEST)
