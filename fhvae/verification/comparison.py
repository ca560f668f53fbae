"""One kind of vector with every back-end, and which back-end suits it best."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors
from fhvae.verification.calibration import Calibration
from fhvae.verification.conditions import ALL_PAIRS
from fhvae.verification.scoring import SUPERVISED, DevVectors, TrainVectors, fit_backends
from fhvae.verification.systems import (
    Curve,
    Metrics,
    Setting,
    System,
    condition_rates,
    det_curve,
    make_system,
    write_system,
)

BEST = "best"
WITH_CURVES = ("mu2", "mu1", "ivector", "fbank", "untrained")  # in the plot


@dataclass(frozen=True)
class VectorTask:
    """One kind of vector, of all three splits.

    Attributes:
        name: of the vector.
        train, test: its vectors.
        dev: its vectors and their trials; None where dev has no trials.
    """

    name: str
    train: TrainVectors
    dev: DevVectors | None
    test: Vectors


@dataclass(frozen=True)
class VectorResult:
    """All that is known of one kind of vector.

    Attributes:
        name: of the vector.
        metrics: by back-end, and of `best`, the best supervised one on dev.
        conditions: by list of trials and back-end.
        draws: EER of all pairs under each draw, of `cos` and `best`.
        calibrations: by back-end.
        curves: of `cos` and `best`, for the vectors of the plot.
        absent: what is not there, and why.
    """

    name: str
    metrics: dict[str, Metrics]
    conditions: dict[str, dict[str, Metrics]]
    draws: dict[str, np.ndarray]
    calibrations: dict[str, Calibration]
    curves: dict[str, Curve]
    absent: dict[str, str]


def evaluate_vector(task: VectorTask, setting: Setting, scores: Path) -> VectorResult:
    """Fit all back-ends, score all lists of trials, compute all metrics.

    Args:
        task: the vectors.
        setting: trials and draws.
        scores: folder for the files of scores.
    """
    backends = fit_backends(task.train, task.dev, setting.dimensions)
    absent = {f"{task.name}.{name}": reason for name, reason in backends.absent.items()}
    systems: dict[str, System] = {}
    for name, backend in backends.fitted.items():
        try:
            systems[name] = make_system(backend, task.test, task.dev, setting)
        except TrialError as error:
            absent[f"{task.name}.{name}"] = str(error)
    main = main_systems(systems)
    if BEST not in main:
        absent[f"{task.name}.{BEST}"] = "no supervised back-end could be chosen on dev"
    rows = main if setting.protocol == "headline" else {name: name for name in systems} | main
    for name in sorted(set(rows.values())):
        write_system(scores, f"{task.name}.{name}", systems[name], task.dev, setting)
    return VectorResult(
        name=task.name,
        metrics=collect_metrics(systems, main),
        conditions=score_conditions(task, rows, systems, setting, absent),
        draws={key: systems[name].draws for key, name in main.items()},
        calibrations={
            name: system.calibration
            for name, system in systems.items()
            if system.calibration is not None
        },
        curves={
            key: det_curve(systems[name], setting)
            for key, name in main.items()
            if task.name in WITH_CURVES
        },
        absent=absent,
    )


def main_systems(systems: Mapping[str, System]) -> dict[str, str]:
    """Name the back-ends of the headline: `cos`, and as `best` the supervised one best on dev.

    Of equals the first of `SUPERVISED`. Either may be missing.
    """
    main = {"cos": "cos"} if "cos" in systems else {}
    known = [name for name in SUPERVISED if name in systems and "dev_eer" in systems[name].metrics]
    if known:
        main[BEST] = min(known, key=lambda name: systems[name].metrics["dev_eer"])
    return main


def collect_metrics(systems: Mapping[str, System], main: Mapping[str, str]) -> dict[str, Metrics]:
    """Lay out the metrics by back-end; those of `best` say which it is."""
    metrics = {}
    for name, system in systems.items():
        metrics[name] = dict(system.metrics)
        if "lda" in name:
            metrics[name]["dimensions"] = system.backend.dimensions
    if BEST in main:
        metrics[BEST] = {**metrics[main[BEST]], "backend": main[BEST]}
    return metrics


def score_conditions(
    task: VectorTask,
    rows: Mapping[str, str],
    systems: Mapping[str, System],
    setting: Setting,
    absent: dict[str, str],
) -> dict[str, dict[str, Metrics]]:
    """Score the other lists of trials, by list and row; what cannot be goes to `absent`.

    Args:
        task: the vectors.
        rows: what a row is called to the back-end that it is of.
        systems: by back-end.
        setting: lists and draws.
        absent: is added to.
    """
    conditions: dict[str, dict[str, Metrics]] = {}
    for name in setting.lists:
        if name == ALL_PAIRS:
            continue
        found: dict[str, Metrics] = {}
        for backend in sorted(set(rows.values())):
            try:
                found[backend] = condition_rates(systems[backend].backend, task.test, name, setting)
            except TrialError as error:
                absent[f"conditions.{name}.{task.name}.{backend}"] = str(error)
        conditions[name] = {key: found[value] for key, value in rows.items() if value in found}
    return conditions
