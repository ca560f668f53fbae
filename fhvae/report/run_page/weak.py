"""What is weak in a run: what FHVAE loses or draws, what rests on few errors, what is absent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhvae.cited import look_up
from fhvae.intervals import Interval
from fhvae.params.domain_names import by_noise
from fhvae.report.run_page.cells import Table, listed, value_with_interval
from fhvae.report.run_page.kept import MEASURES as OF_SOUNDS
from fhvae.report.run_page.sounds import CONTROLS, MAIN
from fhvae.report.shape import VECTORS

Metrics = Mapping[str, Any]
# What FHVAE is compared with; controls of mu2 itself and codes that hold z1 are none of it.
OTHERS = {
    "ivector": "the i-vector best on dev by cosine",
    "ivector_supervised": "the i-vector best on dev by its back-end",
    "fbank": "FBANK",
    "pca": "PCA",
    "untrained": "untrained networks",
}
BACKENDS = {"cos": "cosine", "best": "best supervised back-end"}
PROBES = {"linear": "linear probe", "mlp": "probe with a hidden layer"}
FEWEST_ERRORS = 30  # the rule of 30: fewer missed target trials say little of an EER
OURS = "fhvae"
METHODS = {**MAIN, **CONTROLS}
MEASURES = {key: name for key, (name, _, _) in OF_SOUNDS.items()} | {
    "f0": "F0",
    "voicing": "voicing",
}


@dataclass(frozen=True)
class Difference:
    """A paired difference of FHVAE and something else.

    Attributes:
        what: is compared, in words.
        value: with its interval, as written.
        verdict: better, level, worse, or no verdict where speakers are too few.
    """

    what: str
    value: str
    verdict: str


def differences(metrics: Metrics) -> list[Difference]:
    """Collect the paired differences of speakers, phones and mismatched recognition."""
    return [*_speakers(metrics), *_phones(metrics), *_recognition(metrics)]


def _speakers(metrics: Metrics) -> Iterator[Difference]:
    for backend, words in BACKENDS.items():
        pairs: Metrics = look_up(metrics, f"verify.difference.{backend}") or {}
        for pair, found in pairs.items():
            first, _, other = pair.partition("-")
            if other not in OTHERS:
                continue
            better = {first: "better", other: "worse", "neither": "level"}
            yield Difference(
                f"EER of {first} minus that of {OTHERS[other]}, {words}",
                value_with_interval(found, "eer"),
                better.get(found.get("better", ""), "no verdict"),
            )


def _phones(metrics: Metrics) -> Iterator[Difference]:
    for probe, words in PROBES.items():
        codes: Metrics = look_up(metrics, f"probe.phone.z1_minus.{probe}") or {}
        for code, found in codes.items():
            if code not in OTHERS:
                continue
            yield Difference(
                f"phone accuracy of z1 minus that of {OTHERS[code]}, {words}",
                value_with_interval(found, "accuracy"),
                _verdict(found, "accuracy"),
            )


def _recognition(metrics: Metrics) -> Iterator[Difference]:
    gaps: Metrics = look_up(metrics, "recognize.gap") or {}
    for code, by_train in gaps.items():
        for train, by_test in by_train.items():
            for test, found in by_test.items():
                yield Difference(
                    f"PER of FBANK minus that of {code}, {train} to {test}",
                    value_with_interval(found, "gain"),
                    _verdict(found, "gain"),
                )


def _verdict(found: Metrics, key: str) -> str:
    """Judge a difference that is above 0 where FHVAE is better."""
    whole = Interval(*(found.get(f"{key}{end}") for end in ("", "_low", "_high")))  # type: ignore[arg-type]
    if whole.low is None:
        return "no verdict"
    return "level" if not whole.excludes_zero else "better" if whole.is_above_zero else "worse"


def differences_table(found: list[Difference], verdicts: tuple[str, ...], caption: str) -> Table:
    """Lay out the differences of some verdicts."""
    rows = [(one.what, one.value, one.verdict) for one in found if one.verdict in verdicts]
    return Table(caption, ("compared", "points", "FHVAE is"), rows)


def changed_table(convert: Metrics) -> Table:
    """Say where converted and denoised speech is better, level or worse than every control."""
    rows = []
    for task, pairs in _tasks(convert):
        for pair, measures in pairs.items():
            other = pair.partition("-")[2]
            found = [_won(measures, name) for name in (OURS, "neither", other)]
            if any(found):
                rows.append((f"{task}, beside: {METHODS.get(other, other)}", *map(listed, found)))
    caption = (
        "Converted and denoised speech beside every control, by measure, paired over speakers."
    )
    return Table(caption, ("FHVAE is", "better", "level", "worse"), rows)


def _tasks(convert: Metrics) -> Iterator[tuple[str, Metrics]]:
    if "conversion" in convert:
        yield "conversion", convert["conversion"]["difference"]
    for domain in sorted(convert.get("denoising", {}), key=by_noise):
        words = f"noise at {domain.removeprefix('noise')} dB"
        yield words, convert["denoising"][domain]["difference"]


def _won(measures: Metrics, by: str) -> list[str]:
    """Name the measures that one of a pair won, or neither."""
    return [MEASURES.get(key, key) for key in measures if look_up(measures, f"{key}.better") == by]


def thin_table(verify: Metrics) -> Table:
    """Name the error rates that rest on fewer than 30 missed target trials."""
    rows = [
        (f"{vector}.{backend}", str(found["n_err_eer"]), value_with_interval(found, "eer"))
        for vector, by_backend in verify.items()
        if vector in VECTORS
        for backend, found in by_backend.items()
        if backend in BACKENDS and isinstance(found, Mapping) and found.get("rule_of_30") == 0
    ]
    caption = f"EERs of fewer than {FEWEST_ERRORS} missed target trials: their intervals are wide."
    return Table(caption, ("vector and back-end", "target trials missed", "EER, %"), rows)


def absent_table(metrics: Metrics) -> Table:
    """Name all that stages could not compute, with the reason they gave; one reason is one row."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for stage, own in sorted(metrics.items()):
        for key, reason in sorted((own.get("absent") or {}).items()):
            by_reason.setdefault((stage, str(reason)), []).append(key)
    rows = [(stage, listed(keys), reason) for (stage, reason), keys in by_reason.items()]
    return Table("Absent or partial, and why.", ("stage", "what", "why"), rows)
