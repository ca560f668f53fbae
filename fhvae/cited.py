"""The few values that one cites, picked from the metrics of all stages.

They are the columns of `dvc exp show` and the rows of `dvc metrics diff`, so names are short: at
most nine letters where the value changes from run to run (docs/metrics.md says what each is). A
value that a corpus cannot have is absent, and the reason is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from fhvae.errors import ArtifactError
from fhvae.intervals import INTERVALS

STAGES = ("probe", "recognize", "recognize_baselines", "train", "verify")
DECIMALS = 4  # a hundredth of a percent; the intervals are a hundred times as wide
LOWER: Final = "lower"
HIGHER: Final = "higher"


@dataclass(frozen=True)
class Source:
    """Where a value stands in the metrics of the stages, and which way is better.

    Attributes:
        key: dotted, the stage first; its interval stands beside it as `<key>_low`, `<key>_high`.
        better: lower or higher.
        resampled: whether speakers are drawn for it, where there are enough.
    """

    key: str
    better: Literal["lower", "higher"]
    resampled: bool = True


CITED = {
    "eer_mu2": Source("verify.mu2.cos.eer", LOWER),
    "best_mu2": Source("verify.mu2.best.eer", LOWER),  # the best supervised back-end
    "eer_mu1": Source("verify.mu1.cos.eer", HIGHER),  # the mean of z1, which should not know
    "eer_ivector": Source("verify.ivector.cos.eer", LOWER),
    "best_ivector": Source("verify.ivector_supervised.best.eer", LOWER),
    "eer_fbank": Source("verify.fbank.cos.eer", LOWER),
    "phn_z1": Source("probe.phone.z1.accuracy", HIGHER),
    "phn_z2": Source("probe.phone.z2.accuracy", LOWER),
    "phn_pca": Source("probe.phone.pca.accuracy", HIGHER),
    "spk_z1": Source("probe.speaker.z1.accuracy", LOWER),
    "spk_z2": Source("probe.speaker.z2.accuracy", HIGHER),
    "per_z1": Source("recognize.per.z1.clean.clean.per", LOWER),
    "per_z1_mf": Source("recognize.per.z1.male.female.per", LOWER),
    "per_fbank": Source("recognize_baselines.per.fbank.clean.clean.per", LOWER),
    "per_fbank_mf": Source("recognize_baselines.per.fbank.male.female.per", LOWER),
    "gain_mf": Source("recognize.gap.z1.male.female.gain", HIGHER),  # in points of PER
    "cost_mf": Source("recognize.gap.z1.male.female.cost", LOWER),  # of FBANK
    "gain_n10": Source("recognize.gap.z1.clean.noise10.gain", HIGHER),
    "cost_n10": Source("recognize.gap.z1.clean.noise10.cost", LOWER),
    "gap_mf": Source("recognize.gap.z1.male.female.recovered", HIGHER),
    "gap_noise": Source("recognize.gap.z1.clean.noise10.recovered", HIGHER),
    "bound": Source("train.dev_lower_bound", HIGHER, resampled=False),
    "collapsed": Source("train.collapse.collapsed", LOWER, resampled=False),
}
LEAK = "leak_z1"  # the EER of the strongest attacker on z1
# The vectors of an utterance, in the metrics of verify, that a code's speakers are told by.
ATTACKED = {"z1": ("mu1", "z1_stats"), "pca": ("pca",), "fbank": ("fbank",)}
ATTACKERS = ("cos", "cos_asn", "lda", "plda", "plda_asn")  # back-ends, each tried on each vector
NO_REASON = "its stage gave no reason"


@dataclass(frozen=True)
class Cited:
    """A value that the run has.

    Attributes:
        value: as it is cited.
        source: where it stands.
        low, high: its 95 % interval; None where it has none.
    """

    value: float | int
    source: Source
    low: float | None
    high: float | None


def look_up(metrics: Mapping[str, Any], key: str) -> Any:
    """Find `verify.mu2.cos.eer` in nested metrics; None where it is absent."""
    value: Any = metrics
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _number(metrics: Mapping[str, Any], key: str) -> float | int | None:
    """Find a number in nested metrics; None where it is absent."""
    value = look_up(metrics, key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        stage, _, own = key.partition(".")
        raise ArtifactError(
            f"metrics/{stage}.json: {own} must be a number, found {value!r:.40}; rerun the stage "
            f"{stage}"
        )
    return value


def _reasons(metrics: Mapping[str, Any], stage: str) -> dict[str, str]:
    """Give what a stage says of what it has not, by name."""
    found = look_up(metrics, f"{stage}.absent") or {}
    if not isinstance(found, Mapping) or not all(isinstance(one, str) for one in found.values()):
        raise ArtifactError(
            f"metrics/{stage}.json: absent must give reasons in words by name, found "
            f"{found!r:.40}; rerun the stage {stage}"
        )
    return dict(found)


def cite(metrics: Mapping[str, Any]) -> dict[str, Cited]:
    """Pick the values that are there, by name.

    Args:
        metrics: of each of `STAGES`.
    """
    sources = dict(CITED)
    strongest = strongest_attacker(metrics, "z1")
    if strongest:
        sources[LEAK] = Source(f"{strongest}.eer", HIGHER)
    found = {}
    for name, source in sources.items():
        value, low, high = (_number(metrics, source.key + end) for end in ("", "_low", "_high"))
        if value is not None:
            found[name] = Cited(_short(value), source, low, high)
    return found


def strongest_attacker(metrics: Mapping[str, Any], code: str) -> str | None:
    """Name who tells speakers by a code with the lowest EER on *dev*, the first of equals.

    Args:
        metrics: of each of `STAGES`.
        code: of `ATTACKED`.

    Returns:
        The key of a row, such as `verify.mu1.plda`; None where no attacker met dev.
    """
    rows = [f"verify.{vector}.{one}" for vector in ATTACKED[code] for one in ATTACKERS]
    on_dev = {row: _number(metrics, f"{row}.dev_eer") for row in rows}
    known = {row: rate for row, rate in on_dev.items() if rate is not None}
    return min(known, key=lambda row: known[row], default=None)


def leaks(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Give each code the row of its strongest attacker, by code: the *content EER* of tables."""
    strongest = {code: strongest_attacker(metrics, code) for code in ATTACKED}
    return {code: look_up(metrics, row) for code, row in strongest.items() if row}


def _short(value: float | int) -> float | int:
    return round(value, DECIMALS) if isinstance(value, float) else value


def values(found: Mapping[str, Cited]) -> dict[str, float | int]:
    """Lay out what the DVC metric holds: names and values."""
    return {name: item.value for name, item in found.items()}


def intervals(found: Mapping[str, Cited], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out what stands beside: where values come from, their intervals, and what is absent.

    Args:
        found: of `cite`.
        metrics: of each of `STAGES`; their `absent` gives the reasons.
    """
    cited: dict[str, dict[str, Any]] = {}
    for name, item in found.items():
        cited[name] = {"from": item.source.key, "better": item.source.better}
        if item.low is not None and item.high is not None:
            cited[name] |= {"low": _short(item.low), "high": _short(item.high)}
        elif item.source.resampled:
            cited[name]["no_interval"] = why_no_bounds(item.source.key, metrics)
    keys = {name: source.key for name, source in CITED.items()} | {LEAK: "verify.mu1.best"}
    absent = {name: reason_for(key, metrics) for name, key in keys.items() if name not in found}
    return {"cited": cited, "absent": absent}


def why_no_bounds(key: str, metrics: Mapping[str, Any]) -> str:
    """Say why a value that is there has no interval: in the words of its stage, if it gave any.

    A stage gives a reason for a part of its metrics (`phone.intervals`), a test side
    (`intervals.male`), or all of them (`intervals`).
    """
    stage, *parts = key.split(".")
    reasons = _reasons(metrics, stage)
    names = [f"{'.'.join(parts[:count])}.{INTERVALS}" for count in range(len(parts), 0, -1)]
    names += [f"{INTERVALS}.{part}" for part in reversed(parts)]
    return next((reasons[name] for name in (*names, INTERVALS) if name in reasons), NO_REASON)


def reason_for(key: str, metrics: Mapping[str, Any]) -> str:
    """Say why a stage does not have a value: in its own words where it gave any.

    A stage names a part of its metrics (`per`) or a side of the matrix (`female`).
    """
    stage, _, own = key.partition(".")
    reasons = _reasons(metrics, stage)
    parts = own.split(".")
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)] + parts[::-1]
    for name in names:
        if name in reasons:
            return reasons[name]
    return f"metrics/{stage}.json has no {own}"
