"""The two things that changed speech is measured for: conversion and denoising."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhvae.corpus.store import Corpus
from fhvae.errors import ListeningError
from fhvae.intervals import INTERVALS, why_no_interval
from fhvae.listening import judges
from fhvae.listening.conversions import measure_conversions, plan_conversions, spoken
from fhvae.listening.denoisings import measure_denoisings, plan_denoisings
from fhvae.listening.summary import Item, summarize, summarize_ratios
from fhvae.listening.verdicts import JUDGES
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.params.listening import ListeningParams

SYNTHETIC = "espeak"  # the name of the corpus that no human speaks


@dataclass(frozen=True)
class Setting:
    """What is changed, by which model.

    Attributes:
        corpus: local.
        frames: folder of the stage fbank: what has no frames is too short to be changed.
        model: a model folder.
        of_corpus, fbank, domains, listening: sections of the params.
    """

    corpus: Corpus
    frames: Path
    model: Path
    of_corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    listening: ListeningParams

    @property
    def is_judged(self) -> bool:
        """Whether pretrained judges are asked: they know human speech alone."""
        return self.of_corpus.name != SYNTHETIC


@dataclass(frozen=True)
class Measured:
    """What was measured of each utterance, and the metrics that follow."""

    items: list[Item]
    metrics: dict[str, Any]


def conversion(setting: Setting) -> Measured:
    """Convert test speakers into each other.

    Raises:
        ListeningError: there are no pairs of them.
    """
    own, seed = setting.listening, setting.of_corpus.seed
    found = spoken(setting.corpus, setting.frames, setting.fbank.hop_ms)
    planned = plan_conversions(setting.corpus, found, own, seed)
    items = measure_conversions(planned, setting.model, own.examples, setting.is_judged)
    return Measured([*items], summarize(items, "fhvae"))


def denoising(setting: Setting) -> Measured:
    """Denoise the noisy copies of test.

    Raises:
        ListeningError: there are none, or what they are of is not clean.
    """
    own, seed = setting.listening, setting.of_corpus.seed
    sections = setting.domains, setting.fbank, own, seed
    plan = plan_denoisings(setting.corpus, setting.frames, *sections)
    items = measure_denoisings(plan, setting.model, own.examples, setting.is_judged)
    return Measured([*items], summarize_ratios(items, "fhvae"))


TASKS: Mapping[str, Callable[[Setting], Measured]] = {
    "conversion": conversion,
    "denoising": denoising,
}


def measure(setting: Setting) -> tuple[dict[str, list[Item]], dict[str, Any]]:
    """Do all that can be done; `absent` in the metrics says what could not, and why."""
    absent, items, metrics = absent_here(setting), {}, {}
    for name, task in TASKS.items():
        try:
            found = task(setting)
        except ListeningError as error:
            absent[name] = str(error)
            continue
        items[name], metrics[name] = found.items, found.metrics
    if "conversion" in items:
        absent["conversion.si_sdr"] = "another reading of a text is not in step, sample by sample"
    readings = [one for one in items.get("conversion", []) if "lsd" in one.rows["source"]]
    if "conversion" in items and not readings:
        absent["conversion.readings"] = "no pair reads one text with the same phones, times known"
    return items, {**metrics, "absent": absent}


def absent_here(setting: Setting) -> dict[str, str]:
    """Say what cannot be had on this machine or of this corpus, and why."""
    absent = judges.absent_measures()
    if not setting.is_judged:
        absent = {name: reason for name, reason in absent.items() if name not in JUDGES}
        absent["judges"] = f"they know recorded speech, corpus.name is {SYNTHETIC}"
    speakers = {one.speaker for one in setting.corpus.split("test")}
    reason = why_no_interval(len(speakers))
    return absent | ({INTERVALS: reason} if reason else {})
