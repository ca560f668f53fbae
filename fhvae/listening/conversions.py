"""Test speakers converted into each other, by FHVAE and by controls, and what is measured of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fhvae.acoustics.plan import read_clips
from fhvae.corpus.manifest import COMMON, Utterance
from fhvae.corpus.signals import from_int16, to_int16
from fhvae.corpus.store import Corpus
from fhvae.corpus.text import normalize_text
from fhvae.errors import ListeningError
from fhvae.features.extraction import Clip
from fhvae.features.fbank import SAMPLE_RATE_HZ
from fhvae.listening import controls
from fhvae.listening.distances import intelligibility
from fhvae.listening.pairs import Pair, draw_pairs
from fhvae.listening.same_text import distances_to_reading, phone_spans
from fhvae.listening.verdicts import Asked, Row, verdicts
from fhvae.parallel import map_in_order
from fhvae.params.conversion import ConversionParams
from fhvae.params.fbank import FbankParams
from fhvae.params.listening import ListeningParams
from fhvae.pretrained import Model, load
from fhvae.progress import no_bars
from fhvae.seeds import generator

TEST = "test"


@dataclass(frozen=True)
class Reading:
    """The text of a source read by its target; `spans` as `phone_spans`."""

    clip: Clip
    spans: np.ndarray


@dataclass(frozen=True)
class Conversion:
    """One utterance to be converted.

    Attributes:
        source: what is said.
        text: of it, or "".
        references: of the target; none says the same.
        reading: the target's own, where there is one with the same phones.
        own, others: utterances of the source's speaker and of the target, for judges of voices;
            neither the source nor a reference is among them.
    """

    pair: Pair
    source: Clip
    text: str
    references: tuple[Clip, ...]
    reading: Reading | None
    own: tuple[Clip, ...]
    others: tuple[Clip, ...]


@dataclass(frozen=True)
class Spoken:
    """Utterances of test speakers that have frames.

    Attributes:
        clips: by utterance.
        test, all_read: by speaker, in the order of ids: of the split test, and sentences that
            all read as well.
    """

    clips: Mapping[str, Clip]
    test: Mapping[str, Sequence[Utterance]]
    all_read: Mapping[str, Sequence[Utterance]]


def spoken(corpus: Corpus, fbank: Path, hop_ms: float) -> Spoken:
    """Find what test speakers say, in the split test and in the sentences common to all."""
    splits = [name for name in (TEST, COMMON) if name in corpus.splits]
    clips = {
        clip.utterance_id: clip
        for name in splits
        for clip in read_clips(corpus.folder / name, fbank / name, hop_ms)
    }
    test: dict[str, list[Utterance]] = {}
    for one in corpus.split(TEST):
        if one.utterance_id in clips:
            test.setdefault(one.speaker, []).append(one)
    more = [one for name in splits for one in corpus.split(name) if one.utterance_id in clips]
    every = {speaker: [one for one in more if one.speaker == speaker] for speaker in test}
    return Spoken(clips, test, every)


def plan_conversions(
    corpus: Corpus, found: Spoken, params: ListeningParams, seed: int
) -> list[Conversion]:
    """Draw pairs of test speakers and choose what is said; a sentence that both read is preferred.

    Raises:
        ListeningError: there are no such pairs.
    """
    sexes = {speaker: own[0].gender for speaker, own in found.test.items()}
    pairs = draw_pairs(sexes, params.rounds, generator(seed, "pairs of speakers"))
    return [
        _plan(corpus, found, pair, place // len(sexes), params) for place, pair in enumerate(pairs)
    ]


def _plan(
    corpus: Corpus, found: Spoken, pair: Pair, turn: int, params: ListeningParams
) -> Conversion:
    own, theirs = found.test[pair.source], found.test[pair.target]
    readings = _readings(corpus, found, pair)
    read = [one for one in found.all_read[pair.source] if one.utterance_id in readings]
    source = (read or own)[turn % len(read or own)]
    said = normalize_text(source.text)
    others = [one for one in theirs if not said or normalize_text(one.text) != said]
    if not others:
        raise ListeningError(
            f"{pair.target} must say something else than {source.utterance_id}, which is to be "
            "converted, and does not"
        )
    count = min(params.references, max(1, len(others) - 1))
    kept = [one for one in own if one.utterance_id != source.utterance_id] or own
    enrolled = kept, others[count:] or others

    def clips(utterances: Sequence[Utterance]) -> tuple[Clip, ...]:
        return tuple(found.clips[one.utterance_id] for one in utterances)

    return Conversion(
        pair,
        found.clips[source.utterance_id],
        source.text,
        clips(others[:count]),
        readings.get(source.utterance_id),
        *(clips(part[: params.enrolled]) for part in enrolled),
    )


def _readings(corpus: Corpus, found: Spoken, pair: Pair) -> dict[str, Reading]:
    """Find the utterances of a source that its target reads as well, with the same phones."""
    theirs = {normalize_text(one.text): one for one in found.all_read[pair.target]}
    readings = {}
    for ours in found.all_read[pair.source]:
        other = theirs.get(normalize_text(ours.text)) if normalize_text(ours.text) else None
        if other is None:
            continue
        phones = (corpus.phones.get(one.utterance_id, ()) for one in (ours, other))
        spans = phone_spans(*phones)
        if spans is not None:
            readings[ours.utterance_id] = Reading(found.clips[other.utterance_id], spans)
    return readings


@dataclass(frozen=True)
class Converted:
    """One conversion by every method.

    Attributes:
        pair: of it.
        source: utterance id.
        rows: what was measured, by method.
        sounds: `[sample]` int16 at 16 kHz, by method, and `target`; empty where not kept.
    """

    pair: Pair
    source: str
    rows: Mapping[str, Row]
    sounds: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """A conversion, whether its sound is kept, and whether judges are asked."""

    conversion: Conversion
    kept: bool
    judged: bool


def measure_conversions(
    conversions: Sequence[Conversion], model: Path, kept: int, judged: bool
) -> list[Converted]:
    """Convert, measure and judge all.

    Args:
        conversions: what is converted.
        model: a model folder.
        kept: of how many the sound is kept.
        judged: whether pretrained judges are asked, made for recorded speech.
    """
    tasks = [Task(one, place < kept, judged) for place, one in enumerate(conversions)]
    return list(map_in_order(partial(_measure, model), tasks, "convert", "pair"))


def _measure(folder: Path, task: Task) -> Converted:
    model, wanted = load(folder), task.conversion
    with no_bars():
        outputs = convert(model, wanted)
    source = wanted.source.samples()
    rows: dict[str, Row] = {name: {} for name in outputs}
    for name, signal in outputs.items():
        samples = to_int16(signal)
        if wanted.reading is not None:
            rows[name] |= _to_reading(samples, wanted.reading, model.trained.fbank)
        rows[name]["stoi"] = intelligibility(signal, from_int16(source))
    if task.judged:
        enrolled = wanted.own, wanted.others
        own, others = ([from_int16(clip.samples()) for clip in part] for part in enrolled)
        asked = Asked(from_int16(source), wanted.text, own, others)
        for name, found in verdicts(outputs, asked).items():
            rows[name] |= found
    sounds = {name: to_int16(signal) for name, signal in outputs.items()} if task.kept else {}
    if task.kept:
        reading = wanted.reading.clip if wanted.reading else wanted.references[0]
        sounds["target"] = reading.samples()
    return Converted(wanted.pair, wanted.source.utterance_id, rows, sounds)


def _to_reading(samples: np.ndarray, reading: Reading, fbank: FbankParams) -> Row:
    return distances_to_reading(samples, reading.clip.samples(), reading.spans, fbank)


def convert(model: Model, wanted: Conversion) -> dict[str, np.ndarray]:
    """Convert by every method, `[sample]` with full scale 1 each.

    `griffin_lim` is what the paper played: decoded spectra alone, z2 moved by the step of mu2.
    """
    source = wanted.source.samples()
    references = [clip.samples() for clip in wanted.references]
    settings, fbank, rate = ConversionParams(), model.trained.fbank, SAMPLE_RATE_HZ
    move = controls.plan_pitch(source, references, settings)
    moved = controls.pitch_moved(source, move)
    curve = controls.equalizer(moved, references, fbank, settings.most_gain)
    found = {
        "source": from_int16(source),
        "pitch": moved,
        "equalizer": controls.equalized(moved, curve, fbank, settings),
        "world": controls.world(source, move, curve, fbank),
        "griffin_lim": model.interpolate(source, references, [1.0], rate)[0].samples,
    }
    converted = model.convert(source, references, rate)
    if converted is not None:
        found["fhvae"] = converted.samples
    return {name: np.asarray(signal, np.float64) for name, signal in found.items()}
