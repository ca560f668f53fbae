"""params.yaml as frozen dataclasses, checked once.

Every key must be there, none may be unknown, and each value must have the type and the
range written here. The message names file and key, what must hold and what was found.
"""

import dataclasses
import difflib
import operator
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from fhvae.errors import ParamsError

Section = TypeVar("Section")
BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("above", "above", operator.gt),
    ("at least", "least", operator.ge),
    ("at most", "most", operator.le),
)
SHA256 = re.compile(r"[0-9a-f]{64}")
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def _number(
    *, above: float | None = None, least: float | None = None, most: float | None = None
) -> Any:
    """Declare a numeric key with its range."""
    return field(metadata={"above": above, "least": least, "most": most})


Domain = Literal["noise20", "noise10", "noise5", "noise0", "telephone", "room",
    "aurora_multi", "aurora_c",
    "aurora_b_white", "aurora_b_pink", "aurora_b_brown", "aurora_b_hum",
    "aurora_b_speech_shaped", "aurora_b_babble",
    "aurora_d_white", "aurora_d_pink", "aurora_d_brown", "aurora_d_hum",
    "aurora_d_speech_shaped", "aurora_d_babble"]  # fmt: skip
DomainOrSet = Literal[Domain, "aurora4"]
Condition = Literal[Domain, "clean"]
AURORA_SET = "aurora4"  # in a list of domains: all of Aurora-4's pattern
AURORA_TRAIN: tuple[Domain, ...] = ("aurora_multi",)
AURORA_TEST: tuple[Domain, ...] = tuple(
    name for name in typing.get_args(Domain) if name.startswith("aurora") and name != "aurora_multi"
)


@dataclass(frozen=True, kw_only=True)
class EspeakParams:
    """Size and difficulty of the embedded synthetic corpus."""

    train_speakers: int = _number(least=2)
    train_utterances: int = _number(least=2)
    dev_speakers: int = _number(least=2)
    dev_utterances: int = _number(least=2)
    test_speakers: int = _number(least=2)
    test_utterances: int = _number(least=2)
    parallel_speakers: int = _number(least=0)
    parallel_utterances: int = _number(least=0)
    speaker_scale: float = _number(above=0, most=2)
    accents: tuple[str, ...]


LibriSpeechPart = Literal[
    "train-clean-100",
    "train-clean-360",
    "train-other-500",
    "dev-clean",
    "dev-other",
    "test-clean",
    "test-other",
    "train-clean-5",
    "dev-clean-2",
]
DRAWN_FROM = {"train-clean-5": "train-clean-100", "dev-clean-2": "dev-clean"}


@dataclass(frozen=True, kw_only=True)
class LibriSpeechParams:
    """Which parts of LibriSpeech make up each split, and where its phones come from."""

    train: tuple[LibriSpeechPart, ...]
    dev: tuple[LibriSpeechPart, ...]
    test: tuple[LibriSpeechPart, ...]
    alignments: str | None
    alignments_sha256: str | None

    def check(self) -> None:
        """Raise ParamsError where a part is missing, or recordings stand in two places."""
        for key in ("train", "dev"):
            if not getattr(self, key):
                raise ParamsError(f"corpus.librispeech.{key} must name a part, got an empty list")
        parts = [*self.train, *self.dev, *self.test]
        for part in parts:
            if parts.count(part) > 1:
                raise ParamsError(
                    "corpus.librispeech.train, dev and test must name each part once, "
                    f"{part} is there {parts.count(part)} times"
                )
        for small, large in DRAWN_FROM.items():
            if small in parts and large in parts:
                raise ParamsError(
                    "corpus.librispeech.train, dev and test must not share recordings, "
                    f"{small} is drawn from {large}; name one of them"
                )
        if self.alignments_sha256 is not None:
            if self.alignments is None:
                raise ParamsError(
                    "corpus.librispeech.alignments must name a file for "
                    "corpus.librispeech.alignments_sha256, got null"
                )
            if not SHA256.fullmatch(self.alignments_sha256):
                raise ParamsError(
                    "corpus.librispeech.alignments_sha256 must be 64 lower-case hexadecimal "
                    f"digits, got {self.alignments_sha256!r}"
                )


@dataclass(frozen=True, kw_only=True)
class Speechocean762Params:
    """Whose recordings of speechocean762 are taken."""

    adults_only: bool


@dataclass(frozen=True, kw_only=True)
class VctkParams:
    """Which of the two recordings of every VCTK utterance is taken."""

    microphone: Literal["mic1", "mic2"]


@dataclass(frozen=True, kw_only=True)
class CorpusParams:
    """Which recordings, and how speakers are split where the corpus does not say."""

    name: Literal["espeak", "manifest", "timit", "librispeech", "speechocean762", "vctk"]
    path: str | None
    bad_audio: Literal["refuse", "quarantine"]
    conditions: tuple[Condition, ...]
    dev_fraction: float = _number(above=0, most=0.5)
    test_fraction: float = _number(above=0, most=0.5)
    espeak: EspeakParams
    librispeech: LibriSpeechParams
    speechocean762: Speechocean762Params
    vctk: VctkParams

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if not self.conditions:
            raise ParamsError("corpus.conditions must list one at least, such as clean, got none")
        if len(set(self.conditions)) < len(self.conditions):
            raise ParamsError(
                f"corpus.conditions must name each once, got {', '.join(self.conditions)}"
            )
        if self.name in ("manifest", "timit") and self.path is None:
            raise ParamsError(
                f"corpus.path must name a folder for corpus.name {self.name}, got null"
            )
        espeak = self.espeak
        if espeak.parallel_speakers > espeak.test_speakers:
            raise ParamsError(
                "corpus.espeak.parallel_speakers must be at most "
                f"corpus.espeak.test_speakers={espeak.test_speakers}, "
                f"got {espeak.parallel_speakers}"
            )
        if espeak.parallel_utterances > espeak.test_utterances:
            raise ParamsError(
                "corpus.espeak.parallel_utterances must be at most "
                f"corpus.espeak.test_utterances={espeak.test_utterances}, "
                f"got {espeak.parallel_utterances}"
            )


@dataclass(frozen=True, kw_only=True)
class FbankParams:
    """Definition of the log-mel frames (docs/decisions/0003-fbank.md)."""

    window_ms: float = _number(above=0, most=200)
    hop_ms: float = _number(above=0, most=100)
    fft_size: int = _number(least=16)
    mels: int = _number(least=1)
    preemphasis: float = _number(least=0, most=1)
    power: float = _number(above=0, most=2)
    log_floor: float = _number(most=0)
    store: Literal["float32", "float16"]

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if self.hop_ms > self.window_ms:
            raise ParamsError(
                f"fbank.hop_ms must be at most fbank.window_ms={self.window_ms:g}, "
                f"got {self.hop_ms:g}"
            )


Noise = Literal["white", "pink", "speech_shaped", "babble", "folder"]


def _spelled_out(names: tuple[str, ...], members: tuple[str, ...]) -> tuple[str, ...]:
    found = [one for name in names for one in (members if name == AURORA_SET else (name,))]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, kw_only=True)
class DomainsParams:
    """Degraded copies: of train and dev to learn from, of test to be tested on."""

    train: tuple[DomainOrSet, ...]
    test: tuple[DomainOrSet, ...]
    train_noises: tuple[Noise, ...]
    test_noises: tuple[Noise, ...]
    noise_path: str | None
    active_range_db: float = _number(above=0)
    babble_voices: int = _number(least=1)
    room_rt60_s: tuple[float, ...] = _number(least=0.01, most=10)
    room_direct_to_reverb_db: tuple[float, ...] = _number(least=-40, most=40)

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        for key in ("train", "test", "train_noises", "test_noises"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ParamsError(f"domains.{key} must name each once, got {', '.join(values)}")
        for key in ("room_rt60_s", "room_direct_to_reverb_db"):
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
                f"noise is new to whatever was trained, both have {', '.join(shared)}"
            )
        for part in ("train", "test"):
            noisy = [name for name in getattr(self, part) if name.startswith("noise")]
            if noisy and not getattr(self, f"{part}_noises"):
                raise ParamsError(
                    f"domains.{part}_noises must name a kind of noise for {noisy[0]} in "
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


def scored_domains(domains: DomainsParams) -> tuple[str, ...]:
    """Spell `domains.test` out: `aurora4` stands for its 13 noisy and filtered tests."""
    return _spelled_out(domains.test, AURORA_TEST)


@dataclass(frozen=True, kw_only=True)
class SegmentsParams:
    """How utterances are cut into segments, in frames."""

    frames: int = _number(least=1)
    train_shift: int = _number(least=1)
    shift: int = _number(least=1)


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """Sizes of the networks and standard deviations of the priors."""

    layers: int = _number(least=1)
    cells: int = _number(least=1)
    z1: int = _number(least=1)
    z2: int = _number(least=1)
    z1_std: float = _number(above=0)
    z2_std: float = _number(above=0)
    mu2_std: float = _number(above=0)


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """Optimization, early stopping and the table of mu2."""

    domains: Literal["clean", "all"]
    mu2_table: Literal["closed_form", "random"]
    sequence: Literal["utterance", "speaker"]
    batch: int = _number(least=1)
    learning_rate: float = _number(above=0)
    average: float = _number(least=0, most=0.9999)
    adam_beta1: float = _number(least=0, most=0.9999)
    adam_beta2: float = _number(least=0, most=0.99999)
    epoch_steps: int = _number(least=1)
    max_epochs: int = _number(least=1)
    patience: int = _number(least=0)
    collapse_kl_z2: float = _number(least=0)
    collapse_variance_z2: float = _number(least=0)


@dataclass(frozen=True, kw_only=True)
class LatentsParams:
    """The grid on which latents are written, and how many of them the t-SNE map of z1 shows."""

    shift: int = _number(least=1)
    tsne_points: int = _number(least=50)


@dataclass(frozen=True, kw_only=True)
class IvectorParams:
    """The i-vector baseline: features of speech frames, mixture, subspace."""

    coefficients: int = _number(least=2)
    mels: int = _number(least=2)
    vad_db: float = _number(above=0)
    normalization: Literal["corpus", "mean", "mean_variance"]
    gaussians: int = _number(least=1)
    ubm_frames: int = _number(least=2)
    ubm_iterations: int = _number(least=1)
    ranks: tuple[int, ...] = _number(least=1)
    iterations: int = _number(least=1)

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if self.coefficients > self.mels:
            raise ParamsError(
                f"ivector.coefficients must be at most ivector.mels={self.mels}, "
                f"got {self.coefficients}"
            )
        if not self.ranks:
            raise ParamsError("ivector.ranks must list at least one rank, got none")


@dataclass(frozen=True, kw_only=True)
class VerificationParams:
    """Back-ends and intervals of speaker verification."""

    lda_dimensions: tuple[int, ...] = _number(least=1)
    most_trials: int = _number(least=100)
    bootstrap: int = _number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a list cannot be used."""
        dimensions = self.lda_dimensions
        if not dimensions or len(set(dimensions)) < len(dimensions):
            raise ParamsError(
                f"verification.lda_dimensions must list different numbers, got {list(dimensions)}"
            )


@dataclass(frozen=True, kw_only=True)
class AttackParams:
    """The network that is trained to tell speakers by a code that should hide them."""

    channels: int = _number(least=1)
    embedding: int = _number(least=2)
    learning_rates: tuple[float, ...] = _number(above=0)
    repeats: int = _number(least=1)
    batch: int = _number(least=1)
    steps: int = _number(least=1)
    looks: int = _number(least=1)
    bootstrap: int = _number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        if not self.learning_rates:
            raise ParamsError("attack.learning_rates must list at least one rate, got none")
        if self.looks > self.steps:
            raise ParamsError(
                f"attack.looks must be at most attack.steps={self.steps}, got {self.looks}"
            )


@dataclass(frozen=True, kw_only=True)
class ProbesParams:
    """Probes on frozen codes: linear, and with one hidden layer."""

    penalties: tuple[float, ...]
    max_segments: int = _number(least=100)
    control_clusters: int = _number(least=2)
    mlp_hidden: int = _number(least=1)
    mlp_epochs: int = _number(least=1)
    mlp_patience: int = _number(least=1)
    bootstrap: int = _number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ParamsError(
                f"probes.penalties must list numbers above 0, got {list(self.penalties)}"
            )


@dataclass(frozen=True, kw_only=True)
class RecognizerParams:
    """Size and budget of the phone recogniser under one protocol, and what it is run on."""

    shift: int = _number(least=1)
    recognizers: tuple[Literal["blstm", "linear"], ...]
    layers: int = _number(least=1)
    cells: int = _number(least=1)
    learning_rates: tuple[float, ...] = _number(above=0)
    repeats: int = _number(least=1)
    batch: int = _number(least=1)
    steps: int = _number(least=1)
    looks: int = _number(least=1)
    speaker_shares: tuple[float, ...] = _number(above=0, most=0.99)
    topline_inputs: tuple[Literal["fbank", "stacked", "pca", "z1", "z1mu2", "untrained"], ...]
    latent_inputs: tuple[Literal["z1", "z1mu2", "untrained"], ...]

    def check_lists(self, key: str) -> None:
        """Raise ParamsError where a list cannot be used or keys contradict each other."""
        for name in ("recognizers", "learning_rates", "latent_inputs"):
            if not getattr(self, name):
                raise ParamsError(f"{key}.{name} must list one at least, got an empty list")
        for name in ("recognizers", "speaker_shares", "topline_inputs", "latent_inputs"):
            values = list(getattr(self, name))
            if len(set(values)) < len(values):
                raise ParamsError(f"{key}.{name} must name each once, got {values}")
        if "fbank" not in self.topline_inputs:
            raise ParamsError(
                f"{key}.topline_inputs must name fbank, which gaps are measured with, "
                f"got {list(self.topline_inputs)}"
            )
        if self.looks > self.steps:
            raise ParamsError(
                f"{key}.looks must be at most {key}.steps={self.steps}, got {self.looks}"
            )


@dataclass(frozen=True, kw_only=True)
class RecognitionParams:
    """Phone recognition: budgets of the two protocols, and intervals."""

    bootstrap: int = _number(least=10)
    headline: RecognizerParams
    full: RecognizerParams

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        self.headline.check_lists("recognition.headline")
        self.full.check_lists("recognition.full")

    def under(self, protocol: Literal["headline", "full"]) -> RecognizerParams:
        """Take the budget of a protocol."""
        return self.headline if protocol == "headline" else self.full


@dataclass(frozen=True, kw_only=True)
class Params:
    """All of params.yaml."""

    alpha: float = _number(least=0)
    seed: int = _number(least=0)
    protocol: Literal["headline", "full"]
    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams
    latents: LatentsParams
    ivector: IvectorParams
    verification: VerificationParams
    attack: AttackParams
    probes: ProbesParams
    recognition: RecognitionParams

    def check(self) -> None:
        """Raise ParamsError where two sections contradict each other."""
        noisy = [name for name in self.corpus.conditions if name.startswith("noise")]
        for key in ("train_noises", "test_noises"):
            if noisy and not getattr(self.domains, key):
                raise ParamsError(
                    f"domains.{key} must list a kind of noise where corpus.conditions names "
                    f"{noisy[0]}, got none"
                )


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing or is not YAML, a key is unknown or missing, or
            a value has the wrong type or range.
    """
    import yaml

    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _unique_keys_loader())
    except FileNotFoundError as error:
        raise ParamsError(f"{path} must exist; run from the top of the repository") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} must be YAML: {' '.join(str(error).split())}") from error
    return from_mapping(Params, values, source=str(path))


def _unique_keys_loader() -> type:
    """Make a safe YAML loader that refuses a key given twice, where PyYAML takes the last."""
    import yaml

    class UniqueKeys(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [key for key in keys if keys.count(key) > 1]
            if twice:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"key {twice[0]} is given twice in the block at line {line}")
            return dict(super().construct_mapping(node, deep))

    return UniqueKeys


def from_mapping(section: type[Section], values: Any, source: str, key: str = "") -> Section:
    """Build a params dataclass from plain values; `source` and `key` locate it in messages."""
    if not isinstance(values, Mapping):
        raise ParamsError(
            f"{source}: {key or 'the file'} must hold keys and values, got {values!r}"
        )
    prefix = f"{key}." if key else ""
    fields = {item.name: item for item in dataclasses.fields(section)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else ""
            raise ParamsError(f"{source}: unknown key {prefix}{name}{hint}")
    kinds = typing.get_type_hints(section)
    checked = {}
    for name, item in fields.items():
        if name not in values:
            raise ParamsError(f"{source}: key {prefix}{name} is missing")
        checked[name] = _checked(values[name], kinds[name], item, source, prefix + name)
    result = section(**checked)
    if hasattr(result, "check"):
        try:
            result.check()
        except ParamsError as error:
            raise ParamsError(f"{source}: {error}") from None
    return result


def _checked(value: Any, kind: Any, item: dataclasses.Field[Any], source: str, key: str) -> Any:
    """Check one value against its declared type and range."""
    if dataclasses.is_dataclass(kind):
        return from_mapping(typing.cast(type[Any], kind), value, source, key)
    origin = typing.get_origin(kind)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ParamsError(f"{source}: {key} must be one of {', '.join(choices)}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ParamsError(f"{source}: {key} must be a list, got {value!r}")
        inner = typing.get_args(kind)[0]
        return tuple(
            _checked(part, inner, item, source, f"{key}[{place}]")
            for place, part in enumerate(value)
        )
    if origin is types.UnionType:
        if value is None:
            return None
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    if kind is str:
        if not isinstance(value, str):
            raise ParamsError(f"{source}: {key} must be text, got {value!r}")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise ParamsError(f"{source}: {key} must be true or false, got {value!r}")
        return value
    return _checked_number(value, kind, item.metadata, source, key)


def _checked_number(
    value: Any, kind: type, limits: Mapping[str, float | None], source: str, key: str
) -> float | int:
    """Check a number; 10 serves for 10.0, never 10.0 for 10, and no bool for either."""
    noun = "a whole number" if kind is int else "a number"
    if kind is float and isinstance(value, str) and EXPONENT.fullmatch(value):
        value = float(value)  # YAML 1.1 reads 1e-3, without a point, as text
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise ParamsError(f"{source}: {key} must be {noun}, got {value!r}")
    number = kind(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ParamsError(f"{source}: {key} must be finite, got {value!r}")
    for word, name, holds in BOUNDS:
        limit = limits.get(name)
        if limit is not None and not holds(number, limit):
            raise ParamsError(f"{source}: {key} must be {noun} {word} {limit:g}, got {value!r}")
    return number  # type: ignore[no-any-return]
