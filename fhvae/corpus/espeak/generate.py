"""The embedded corpus as recordings: who says what, in which room.

The plan is drawn first, in one process and in a fraction of a second; each utterance is then a
function of its own plan, so workers may speak them in any order.

`phones.csv` folds the mnemonics of the library's English voices to about 40 classes, lower-case
ARPAbet; silence is `sil`. Vowels colored by a following r join the plain vowel, reduced vowels
are `ax` or `ih`.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from fhvae.corpus.espeak.rooms import multi, resample, studio
from fhvae.corpus.espeak.speakers import Speaker, draw_speakers
from fhvae.corpus.espeak.synthesizer import RATE_HZ, PhoneOnset, SpeechRequest, synthesize
from fhvae.corpus.espeak.text import COMMON_SENTENCES, draw_sentence
from fhvae.corpus.manifest import (
    ALL_SPLITS,
    COMMON,
    PARALLEL,
    SAMPLE_RATE_HZ,
    SPLITS,
    Phone,
    Recording,
    Utterance,
)
from fhvae.corpus.signals import to_int16
from fhvae.errors import CorpusError
from fhvae.parallel import map_in_order
from fhvae.params.corpus import EspeakParams
from fhvae.seeds import generator, stream_seed

BABBLE_VOICES, NOISE_SPEAKERS = 5, 20  # at once, of so many background speakers: part of the corpus
TWIN_SUFFIX = "-multi"
SILENCE = "sil"
STRESS_MARKS = "',%="


@dataclass(frozen=True)
class Plan:
    """Everything that decides one recording.

    Attributes:
        utterance: its row of the manifest, with duration 0 until it is spoken.
        request: words and voice.
        babble: what other voices say in the background; empty in the studio.
        seed: of the run; with the utterance id, the key of the room's draws.
    """

    utterance: Utterance
    request: SpeechRequest
    babble: tuple[SpeechRequest, ...]
    seed: int


def recordings(params: EspeakParams, seed: int) -> Iterator[Recording]:
    """Synthesize the embedded corpus, by split (`ALL_SPLITS`), then utterance id.

    Equal arguments give equal samples, for any number of workers.

    Raises:
        CorpusError: espeak-ng is missing, does not know an accent, or cannot be used here.
        ParamsError: a number of speakers or the list of accents cannot be used.
    """
    yield from map_in_order(record, plan_corpus(params, seed), "synthesize")


def plan_corpus(params: EspeakParams, seed: int) -> list[Plan]:
    """Draw speakers, texts and manners of speaking for the whole corpus."""
    noise = draw_speakers("noise", NOISE_SPEAKERS, params, seed)
    plans: list[Plan] = []
    more: list[Plan] = []
    for split in SPLITS:
        count = getattr(params, f"{split}_speakers")
        speakers = draw_speakers(split, count, params, seed)
        used: set[str] = set()
        for place, speaker in enumerate(speakers):
            own = _plan_speaker(speaker, split, getattr(params, f"{split}_utterances"), used, seed)
            plans += own
            more += _plan_common(speaker, seed)
            if split == "test" and place < params.parallel_speakers:
                more += [_plan_twin(plan, noise) for plan in own[: params.parallel_utterances]]
    return sorted(
        plans + more,
        key=lambda plan: (ALL_SPLITS.index(plan.utterance.split), plan.utterance.utterance_id),
    )


def record(plan: Plan) -> Recording:
    """Speak one utterance and record it in its room.

    Raises:
        CorpusError: espeak-ng cannot speak it, or ignores the speaker's voice.
    """
    utterance = plan.utterance
    spoken = synthesize(plan.request)
    if np.array_equal(spoken.samples, synthesize(replace(plan.request, variant="")).samples):
        raise CorpusError(
            f"utterance {utterance.utterance_id}: espeak-ng must use the speaker's voice, but it "
            "spoke with the plain one; reinstall espeakng-loader 0.2.4"
        )
    speech = resample(spoken.samples, RATE_HZ)
    random = generator(plan.seed, "room", utterance.utterance_id)
    if utterance.split == PARALLEL:
        signal = multi(speech, _babble(plan.babble, len(speech), random), random)
    else:
        signal = studio(speech, random)
    duration_s = round(len(signal) / SAMPLE_RATE_HZ, 6)
    return Recording(
        utterance=replace(utterance, duration_s=duration_s),
        samples=to_int16(signal),
        phones=align(spoken.onsets, duration_s),
    )


def _plan_speaker(
    speaker: Speaker, split: str, count: int, used: set[str], seed: int
) -> list[Plan]:
    """Plan the utterances of one speaker, each of a sentence that nobody else says."""
    plans = []
    for number in range(count):
        text = draw_sentence(split, used, generator(seed, "text", speaker.index, number))
        used.add(text)
        plans.append(_plan(speaker, split, f"{number:02d}", text, seed))
    return plans


def _plan_common(speaker: Speaker, seed: int) -> list[Plan]:
    """Plan how one speaker reads the common sentences."""
    return [
        _plan(speaker, COMMON, f"{COMMON}{number}", text, seed)
        for number, text in enumerate(COMMON_SENTENCES)
    ]


def _plan(speaker: Speaker, split: str, occasion: str, text: str, seed: int) -> Plan:
    utterance = Utterance(
        utterance_id=f"{speaker.speaker}_{occasion}",
        path="",
        speaker=speaker.speaker,
        gender=speaker.gender,
        text=text,
        split=split,
        duration_s=0.0,
    )
    request = _request(speaker, text, seed, occasion)
    return Plan(utterance=utterance, request=request, babble=(), seed=seed)


def _plan_twin(plan: Plan, noise: list[Speaker]) -> Plan:
    """Plan the same speech in another room, with voices that speak nowhere else."""
    original = plan.utterance
    twin_id = original.utterance_id + TWIN_SUFFIX
    random = generator(plan.seed, "babble", twin_id)
    babble = [
        _request(
            noise[place], draw_sentence("noise", set(), random), plan.seed, f"{twin_id} {place}"
        )
        for place in random.choice(len(noise), BABBLE_VOICES, replace=False)
    ]
    twin = replace(original, utterance_id=twin_id, split=PARALLEL, twin=original.utterance_id)
    return replace(plan, utterance=twin, babble=tuple(babble))


def _request(speaker: Speaker, text: str, seed: int, occasion: str) -> SpeechRequest:
    """Draw how a speaker says a sentence this time: tempo, pitch, liveliness."""
    random = generator(seed, "manner", speaker.index, occasion)
    return SpeechRequest(
        text=text,
        accent=speaker.accent,
        variant=speaker.variant,
        rate_wpm=round(float(np.clip(random.normal(165, 14), 120, 220))),
        pitch=round(float(np.clip(random.normal(50, 6), 20, 80))),
        pitch_range=round(float(np.clip(random.normal(50, 14), 10, 99))),
        seed=stream_seed(seed, "voice noise", speaker.index, occasion) % 2**31,
    )


def _babble(
    requests: tuple[SpeechRequest, ...], length: int, random: np.random.Generator
) -> np.ndarray:
    """Let other voices speak at once, each equally loud and from a random point on."""
    total = np.zeros(length)
    for request in requests:
        voice = resample(synthesize(request).samples, RATE_HZ)
        voice = np.roll(voice, -int(random.integers(len(voice)))) / np.sqrt(np.mean(voice**2))
        total += np.resize(voice, length)
    return total


@cache
def phone_classes() -> dict[str, str]:
    """Read the table mnemonic -> phone class."""
    text = files(__package__).joinpath("phones.csv").read_text(encoding="utf-8")
    return {row["mnemonic"]: row["phone"] for row in csv.DictReader(text.splitlines())}


def fold(mnemonic: str) -> str:
    """Give the phone class of a mnemonic; stress marks do not matter.

    Raises:
        CorpusError: the table has no such mnemonic.
    """
    try:
        return phone_classes()[mnemonic.lstrip(STRESS_MARKS)]
    except KeyError:
        raise CorpusError(
            f"every mnemonic of espeak-ng must have a row in fhvae/corpus/espeak/phones.csv, "
            f"{mnemonic!r} has none; add it, or choose other corpus.espeak.accents"
        ) from None


def align(onsets: Sequence[PhoneOnset], duration_s: float) -> tuple[Phone, ...]:
    """Lay phones end to end from 0 to `duration_s`.

    A phone ends where the next begins; what precedes the first is silence. Neighboring
    silences are one. A phone that the synthesizer merged into its neighbor (an l after a
    diphthong) has no time of its own and no row.
    """
    spans: list[tuple[float, str]] = [(0.0, SILENCE)]
    for onset in onsets:
        start_s, phone = round(onset.sample / RATE_HZ, 6), fold(onset.mnemonic)
        if start_s >= duration_s:
            continue
        if spans and spans[-1][0] == start_s:
            spans.pop()
        if not (spans and spans[-1][1] == phone == SILENCE):
            spans.append((start_s, phone))
    ends = [start_s for start_s, _ in spans[1:]] + [duration_s]
    return tuple(
        Phone(start_s, end_s, phone) for (start_s, phone), end_s in zip(spans, ends, strict=True)
    )
