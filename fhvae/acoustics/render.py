"""Degraded copies as sound, as frames and as files, and what all of them are made with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.acoustics import aurora
from fhvae.acoustics.noises import (
    BABBLE,
    FOLDER,
    HUM,
    SPEECH_SHAPED,
    NoiseFolder,
    looped,
    read_noise,
    recorded_noises,
    speech_spectrum,
    sum_voices,
)
from fhvae.acoustics.plan import Copy, NoisePool, group_voices, plan_copies, read_clips
from fhvae.acoustics.sounds import active_samples, read_sound, telephone
from fhvae.corpus.signals import (
    colored_noise,
    equalize,
    from_int16,
    hum,
    limiting_gain,
    noise_gain,
    reverberate,
    rms,
    room_response,
    shaped_noise,
    to_int16,
)
from fhvae.corpus.store import Corpus
from fhvae.errors import CorpusError
from fhvae.features.extraction import Clip
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer, read_normalizer
from fhvae.files.packed import PackedWriter
from fhvae.parallel import map_in_order
from fhvae.params.domains import (
    DomainsParams,
    learned_domains,
    scored_domains,
    topline_domains,
)
from fhvae.params.fbank import FbankParams
from fhvae.seeds import generator, stream_seed

TRAIN_SPLITS, TEST_SPLITS = ("train", "dev"), ("test",)


@dataclass(frozen=True)
class Acoustics:
    """What the sound of all copies is made with.

    Attributes:
        domains: section `domains`.
        speech_power: `[frequency]`, long-term spectrum of training speech, where it is needed.
    """

    domains: DomainsParams
    speech_power: np.ndarray | None = None


def measure_acoustics(
    clips: Sequence[Clip], domains: DomainsParams, made: Sequence[str], seed: int
) -> Acoustics:
    """Measure what the sound of copies needs.

    Args:
        clips: of the training split.
        domains: section `domains`.
        made: names of the domains that are made.
        seed: of the run.
    """
    kinds = (*domains.train_noises, *domains.test_noises)
    shaped = SPEECH_SHAPED in kinds or any(name in aurora.DOMAINS for name in made)
    return Acoustics(domains, speech_spectrum(clips, seed) if shaped else None)


@dataclass(frozen=True)
class Draws:
    """What was drawn for a copy, and the ratio it came out with; a row of draws.csv.

    Attributes:
        noise: kind, with the class of a recording: folder/rain.
        microphone: "second", or "" where it is the corpus's own.
        sources: ids of the voices or of the recording, joined by blanks.
        snr_db: measured on the int16 samples of the copy, over the active part.
        gain: below 1 where the copy was lowered to stay within full scale.
    """

    domain: str
    split: str
    utterance_id: str
    noise: str = ""
    sources: str = ""
    snr_db: float | None = None
    rt60_s: float | None = None
    direct_to_reverb_db: float | None = None
    gain: float = 1.0
    microphone: str = ""


@dataclass(frozen=True)
class Degraded:
    """A copy as `[sample]` float64 before rounding, with what was drawn for it."""

    signal: np.ndarray
    draws: Draws


def degrade(acoustics: Acoustics, copy: Copy) -> Degraded:
    """Make the sound of a copy.

    Raises:
        CorpusError: the utterance, or the noise where it speaks, is silent.
    """
    speech = read_sound(copy.clip)
    draws = Draws(copy.domain, copy.clip.stem.name, copy.clip.utterance_id)
    if copy.second_microphone:
        speech = equalize(speech, generator(copy.seed, "domain microphone", draws.utterance_id))
        draws = replace(draws, microphone="second")
    if copy.snr_db is not None:
        return _add_noise(acoustics, copy, speech, draws)
    if copy.domain == "telephone":
        return _limited(telephone(speech), draws)
    if copy.domain == "room":
        return _play_in_room(acoustics.domains, copy, speech, draws)
    return _limited(speech, draws)


def _limited(signal: np.ndarray, draws: Draws, **known: Any) -> Degraded:
    return Degraded(signal, replace(draws, gain=limiting_gain(signal), **known))


def _play_in_room(params: DomainsParams, copy: Copy, speech: np.ndarray, draws: Draws) -> Degraded:
    random = generator(copy.seed, "domain room", copy.clip.utterance_id)
    least_s, most_s = params.room_rt60_s
    least_db, most_db = params.room_direct_to_reverb_db
    rt60_s, ratio_db = random.uniform(least_s, most_s), random.uniform(least_db, most_db)
    heard = reverberate(speech, room_response(rt60_s, ratio_db, random))
    return _limited(heard, draws, rt60_s=rt60_s, direct_to_reverb_db=ratio_db)


def _add_noise(acoustics: Acoustics, copy: Copy, speech: np.ndarray, draws: Draws) -> Degraded:
    """Add noise so that the ratio over the active part of the speech is the domain's."""
    range_db = acoustics.domains.active_range_db
    active = active_samples(speech, range_db)
    noise = make_noise(copy, active, acoustics.speech_power, range_db)
    if not noise[active].any():
        raise CorpusError(
            f"utterance {draws.utterance_id}: its noise ({copy.noise}) must sound where it "
            "speaks, every sample is 0; take the kind out of params.domains"
        )
    wanted_db = copy.snr_db or 0.0
    noisy = speech + noise_gain(speech[active], noise[active], wanted_db) * noise
    return _limited(
        noisy,
        draws,
        noise=copy.noise if copy.recording is None else f"{copy.noise}/{copy.recording.kind}",
        sources=" ".join(_sources(copy)),
        snr_db=measured_snr_db(speech, noisy, active),
    )


def make_noise(
    copy: Copy, active: np.ndarray, speech_power: np.ndarray | None, range_db: float
) -> np.ndarray:
    """Make the noise of a copy, at any level.

    Args:
        copy: its plan.
        active: `[sample]` bool, where the utterance speaks.
        speech_power: `[frequency]`, for speech-shaped noise.
        range_db: below the loud parts of a voice or recording; further down it pauses.

    Returns:
        `[sample]`, as long as `active`, never silent throughout the active part.
    """
    random = generator(copy.seed, "domain noise", copy.clip.utterance_id)
    if copy.noise == BABBLE:
        voices = [read_sound(clip) for clip in copy.voices]
        return sum_voices(voices, active, range_db, random)
    if copy.noise == FOLDER and copy.recording is not None:
        return looped(read_noise(copy.recording), active, range_db, random)
    if copy.noise == SPEECH_SHAPED and speech_power is not None:
        return shaped_noise(len(active), speech_power, random)
    if copy.noise == HUM:
        return hum(len(active), random)
    return colored_noise(len(active), copy.noise, random)


def _sources(copy: Copy) -> list[str]:
    recording = [] if copy.recording is None else [copy.recording.noise_id]
    return [clip.utterance_id for clip in copy.voices] + recording


def measured_snr_db(speech: np.ndarray, noisy: np.ndarray, active: np.ndarray) -> float:
    """Measure the ratio of a copy as it is written: rounded, and lowered where it was."""
    clean = speech * limiting_gain(noisy)
    rest = from_int16(to_int16(noisy)) - clean
    return float(20 * np.log10(rms(clean[active]) / rms(rest[active])))


@dataclass(frozen=True)
class FrontEnd:
    """From copies to normalized frames: what all copies share.

    Attributes:
        acoustics: that make their sound.
        fbank: section `fbank`.
        normalizer: of the clean training frames; the copies get no statistics of their own.
    """

    acoustics: Acoustics
    fbank: FbankParams
    normalizer: Normalizer


@dataclass(frozen=True)
class Rendered:
    """A copy as normalized frames `[frame, mel]` float32."""

    frames: np.ndarray
    draws: Draws


def render(front_end: FrontEnd, copy: Copy) -> Rendered:
    """Make a copy and compute its frames, as the stage fbank does for the original."""
    degraded = degrade(front_end.acoustics, copy)
    frames = log_mel(to_int16(degraded.signal), front_end.fbank)
    return Rendered(front_end.normalizer.apply(frames), degraded.draws)


def write_copies(folder: Path, copies: Sequence[Copy], front_end: FrontEnd) -> list[Draws]:
    """Write the copies of one domain and split to `folder/<domain>/<split>.npy/.csv`."""
    domain, split = copies[0].domain, copies[0].clip.stem.name
    drawn = []
    rendered = map_in_order(partial(render, front_end), copies, f"{domain} {split}")
    fbank = front_end.fbank
    with PackedWriter(folder / domain / split, fbank.store, (fbank.mels,)) as writer:
        for copy, one in zip(copies, rendered, strict=True):
            writer.append(copy.clip.utterance_id, one.frames)
            drawn.append(one.draws)
    return drawn


@dataclass(frozen=True)
class DomainSplit:
    """The copies of one split in one domain, in the order of its frames."""

    domain: str
    split: str
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class Prepared:
    """All copies that are wanted, and what they are made with.

    Attributes:
        train: of the splits train and dev, by domain.
        topline: of the same, in kinds of noise that test has.
        test: of the split test.
        noises: recorded noise, where the kind folder is asked for.
    """

    front_end: FrontEnd
    train: tuple[DomainSplit, ...]
    topline: tuple[DomainSplit, ...]
    test: tuple[DomainSplit, ...]
    noises: NoiseFolder | None


def prepare(
    corpus: Corpus, frames: Path, domains: DomainsParams, fbank: FbankParams, seed: int
) -> Prepared:
    """Plan the copies of exactly the utterances that have frames.

    Args:
        corpus: gives samples and speakers.
        frames: folder of the stage fbank.
        domains, fbank: sections of the params.
        seed: of the run.

    Raises:
        ArtifactError: corpus and frames do not belong together.
        CorpusError: recorded noise or a voice cannot be used.
    """
    clips = {
        split: read_clips(corpus.folder / split, frames / split, fbank.hop_ms)
        for split in (*TRAIN_SPLITS, *TEST_SPLITS)
    }
    noises = recorded_noises(domains)
    speakers = corpus.speaker_of

    def plan(
        names: Sequence[str], splits: Sequence[str], kinds: tuple[str, ...], own_seed: int = seed
    ) -> tuple[DomainSplit, ...]:
        voices = group_voices(clips["train"], corpus.utterances)
        recordings = noises.kept if noises else ()
        pool = NoisePool(kinds, voices, domains, recordings)
        return tuple(
            DomainSplit(
                name, split, tuple(plan_copies(name, clips[split], speakers, pool, own_seed))
            )
            for name in names
            for split in splits
        )

    return Prepared(
        front_end=_front_end(clips["train"], frames, domains, fbank, seed),
        train=plan(learned_domains(domains), TRAIN_SPLITS, domains.train_noises),
        topline=plan(
            topline_domains(domains),
            TRAIN_SPLITS,
            domains.test_noises,
            stream_seed(seed, "topline"),
        ),
        test=plan(scored_domains(domains), TEST_SPLITS, domains.test_noises),
        noises=noises,
    )


def _front_end(
    clips: Sequence[Clip], frames: Path, domains: DomainsParams, fbank: FbankParams, seed: int
) -> FrontEnd:
    normalizer = read_normalizer(frames / "normalizer.json", fbank.mels)
    made = (*learned_domains(domains), *topline_domains(domains), *scored_domains(domains))
    return FrontEnd(measure_acoustics(clips, domains, made, seed), fbank, normalizer)
