"""Noisy copies of test utterances denoised, by FHVAE and by a control, against the clean ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fhvae.acoustics.plan import Copy, snr_db
from fhvae.acoustics.render import Acoustics, degrade, prepare
from fhvae.corpus.signals import from_int16, to_int16
from fhvae.corpus.store import Corpus
from fhvae.errors import ListeningError
from fhvae.features.extraction import Clip
from fhvae.features.fbank import SAMPLE_RATE_HZ
from fhvae.listening import controls
from fhvae.listening.distances import (
    RANGE_DB,
    intelligibility,
    log_spectral_distance,
    mel_cepstral_distortion,
    si_sdr,
)
from fhvae.listening.pairs import Pair
from fhvae.listening.verdicts import OF_DENOISED, Asked, Row, verdicts
from fhvae.parallel import map_in_order
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.params.listening import ListeningParams
from fhvae.pretrained import Model, load
from fhvae.progress import no_bars


@dataclass(frozen=True)
class Denoising:
    """A noisy copy to be denoised.

    Attributes:
        speaker: of it.
        copy: the plan of its noise.
        clean: other utterances of the speaker.
    """

    speaker: str
    copy: Copy
    clean: tuple[Clip, ...]


@dataclass(frozen=True)
class Denoised:
    """One noisy copy by every method; `domain` names its ratio, the rest is as in `Converted`."""

    domain: str
    pair: Pair
    source: str
    rows: Mapping[str, Row]
    sounds: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """All noisy copies to be denoised, and what their sound is made with."""

    acoustics: Acoustics
    denoisings: tuple[Denoising, ...]


def plan_denoisings(
    corpus: Corpus,
    frames: Path,
    domains: DomainsParams,
    fbank: FbankParams,
    params: ListeningParams,
    seed: int,
) -> Plan:
    """Choose utterances of every test speaker, and find how the stage domains makes them noisy.

    Raises:
        ListeningError: nothing is clean, or nothing is to be made noisy.
    """
    if (corpus.folder / "conditions.csv").exists():
        raise ListeningError(
            "denoising needs clean recordings of test, corpus.conditions names others"
        )
    prepared = prepare(corpus, frames, domains, fbank, seed)
    noisy = [one for one in prepared.test if snr_db(one.domain) is not None]
    if not noisy:
        raise ListeningError("denoising needs noise, domains.test names none such as noise10")
    by_speaker: dict[str, list[Clip]] = {}
    for copy in noisy[0].copies:
        speaker = corpus.speaker_of[copy.clip.utterance_id]
        by_speaker.setdefault(speaker, []).append(copy.clip)
    return Plan(
        prepared.front_end.acoustics,
        tuple(
            Denoising(speaker, copies[clip.utterance_id], _clean(own, place, params))
            for copies in ({one.clip.utterance_id: one for one in each.copies} for each in noisy)
            for speaker, own in sorted(by_speaker.items())
            for place, clip in enumerate(own[: params.denoised])
        ),
    )


def _clean(own: Sequence[Clip], place: int, params: ListeningParams) -> tuple[Clip, ...]:
    """Take what a speaker says after an utterance, and then from the beginning."""
    others = (*own[place + 1 :], *own[:place])
    return others[: params.references]


@dataclass(frozen=True)
class Task:
    """A denoising, whether its sound is kept, and whether judges are asked."""

    denoising: Denoising
    kept: bool
    judged: bool


def measure_denoisings(plan: Plan, model: Path, kept: int, judged: bool) -> list[Denoised]:
    """Make all copies noisy, denoise, measure and judge them; judges hear `clean` too.

    Args:
        plan: what is denoised.
        model: a model folder.
        kept: of how many utterances the sound is kept, at every ratio.
        judged: whether pretrained judges are asked, made for recorded speech.
    """
    first = sorted({one.copy.clip.utterance_id for one in plan.denoisings})[:kept]
    tasks = [Task(one, one.copy.clip.utterance_id in first, judged) for one in plan.denoisings]
    work = partial(_measure, model, plan.acoustics)
    return list(map_in_order(work, tasks, "denoise"))


def _measure(folder: Path, acoustics: Acoustics, task: Task) -> Denoised:
    model, wanted = load(folder), task.denoising
    degraded = degrade(acoustics, wanted.copy)
    clean = from_int16(wanted.copy.clip.samples()) * degraded.draws.gain
    with no_bars():
        outputs = denoise(model, to_int16(degraded.signal), wanted.clean)
    rows = {name: _row(signal, clean, model.trained.fbank) for name, signal in outputs.items()}
    if task.judged:
        asked = Asked(clean, text="", own=(), target=())
        for name, found in verdicts({**outputs, "clean": clean}, asked, OF_DENOISED).items():
            rows[name] = rows.get(name, {}) | found
    sounds = {name: to_int16(signal) for name, signal in outputs.items()} if task.kept else {}
    if task.kept:
        sounds["clean"] = to_int16(clean)
    return Denoised(
        wanted.copy.domain,
        Pair(wanted.speaker, wanted.speaker),
        wanted.copy.clip.utterance_id,
        rows,
        sounds,
    )


def denoise(model: Model, noisy: np.ndarray, clean: Sequence[Clip]) -> dict[str, np.ndarray]:
    """Denoise by every method that can be had, `[sample]` with full scale 1 each.

    `fhvae` moves mu2 to the mean of clean training speech, `fhvae_own` to that of clean speech of
    the same speaker.

    Args:
        model: the model.
        noisy: `[sample]` int16 at 16 kHz.
        clean: other utterances of the speaker.
    """
    own = [clip.samples() for clip in clean]
    found = {"noisy": from_int16(noisy), "noisereduce": controls.noisereduce(noisy)}
    for name, heard in {"fhvae": None, "fhvae_own": own}.items():
        done = model.denoise(noisy, SAMPLE_RATE_HZ, clean=heard)
        if done is not None:
            found[name] = done.samples
    return {name: np.asarray(signal, np.float64) for name, signal in found.items()}


def _row(signal: np.ndarray, clean: np.ndarray, fbank: FbankParams) -> Row:
    return {
        "si_sdr": si_sdr(signal, clean),
        "lsd": log_spectral_distance(signal, clean, RANGE_DB),
        "mcd": mel_cepstral_distortion(to_int16(signal), to_int16(clean), fbank, RANGE_DB),
        "stoi": intelligibility(signal, clean),
    }
