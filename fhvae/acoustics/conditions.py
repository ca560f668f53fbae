"""A corpus of clean recordings -> the same corpus in other conditions (`corpus.conditions`).

Each utterance of train, dev and test is put into one of the conditions, drawn by its id; the
clean recordings of test stay beside it as the split `parallel`, so that what was done can be
undone and measured.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from fhvae.acoustics.noises import recorded_noises
from fhvae.acoustics.plan import Copy, NoisePool, group_voices, plan_copy
from fhvae.acoustics.render import Acoustics, Draws, degrade, measure_acoustics
from fhvae.acoustics.summary import draws_table
from fhvae.corpus.manifest import PARALLEL, SPLITS, Recording, Refused, Utterance
from fhvae.corpus.signals import to_int16
from fhvae.corpus.store import Corpus, write_corpus
from fhvae.features.extraction import Clip
from fhvae.files.atomic import write_csv
from fhvae.parallel import map_in_order
from fhvae.params.domains import DomainsParams
from fhvae.seeds import generator, stream_seed

CLEAN = "clean"
TWIN = "~clean"  # behind the id of a test utterance: its clean recording


@dataclass(frozen=True)
class Heard:
    """An utterance as it is heard now."""

    samples: np.ndarray
    draws: Draws


def write_conditioned(
    folder: Path, corpus: Corpus, conditions: Sequence[str], domains: DomainsParams, seed: int
) -> list[Draws]:
    """Write the corpus as it is heard, with `conditions.csv`; arguments as for `hear_corpus`.

    Returns:
        What was drawn for each utterance of train, dev and test.
    """
    drawn: list[Draws] = []

    def heard() -> Iterator[Recording | Refused]:
        yield from corpus.left_out
        for recording, draws in hear_corpus(corpus, conditions, domains, seed):
            if draws is not None:
                drawn.append(draws)
            yield recording

    write_corpus(folder, heard())
    write_csv(folder / "conditions.csv", draws_table(drawn))
    return drawn


def clean_draws(corpus: Corpus) -> list[Draws]:
    """Say of each utterance of train, dev and test that it is heard as it was recorded."""
    return [
        Draws(CLEAN, split, item.utterance_id) for split in SPLITS for item in corpus.split(split)
    ]


def hear_corpus(
    corpus: Corpus, conditions: Sequence[str], domains: DomainsParams, seed: int
) -> Iterator[tuple[Recording, Draws | None]]:
    """Hear every utterance in one of the conditions.

    Args:
        corpus: clean, with samples on disk.
        conditions: names of domains, and clean.
        domains: section `domains`; noise of test is of the kinds kept for test.
        seed: of the run.

    Yields:
        Recordings, split by split in the order of the corpus, with what was drawn; for the
        clean twins of test and for what was parallel before, None.

    Raises:
        CorpusError: a noise or a voice cannot be used.
    """
    clips = {split: clips_of(corpus, split) for split in corpus.splits}
    voices = group_voices(clips["train"], corpus.utterances)
    sound = measure_acoustics(clips["train"], domains, conditions, seed)
    noises = recorded_noises(domains)
    for split in SPLITS:
        pool = NoisePool(
            domains.test_noises if split == "test" else domains.train_noises,
            voices,
            domains,
            noises.kept if noises else (),
        )
        copies = plan_conditions(corpus.split(split), clips[split], pool, conditions, seed)
        with closing(map_in_order(partial(hear, sound), copies, f"conditions {split}")) as heard:
            for utterance, one in zip(corpus.split(split), heard, strict=True):
                yield _recording(corpus, utterance, one.samples), one.draws
    for clip, utterance in zip(clips["test"], corpus.split("test"), strict=True):
        name = utterance.utterance_id
        twin = replace(utterance, utterance_id=name + TWIN, split=PARALLEL, twin=name)
        yield _recording(corpus, twin, clip.samples()), None
    for clip, utterance in zip(clips.get(PARALLEL, []), corpus.split(PARALLEL), strict=True):
        yield _recording(corpus, utterance, clip.samples()), None


def clips_of(corpus: Corpus, split: str) -> list[Clip]:
    """Find the samples of a split, sorted by utterance id."""
    packed = corpus.samples(split)
    stem = corpus.folder / split
    clips = [Clip.of(stem, packed, position, frames=0) for position in range(len(packed))]
    return sorted(clips, key=lambda clip: clip.utterance_id)


def plan_conditions(
    utterances: Sequence[Utterance],
    clips: Sequence[Clip],
    pool: NoisePool,
    conditions: Sequence[str],
    seed: int,
) -> list[Copy]:
    """Draw the condition of each utterance, and its noise there.

    The streams are not those of the stage `domains`: a copy of a noisy utterance there must not
    get the same noise again.
    """
    own_seed = stream_seed(seed, "conditions")
    drawn = [draw_condition(utterance, conditions, seed) for utterance in utterances]
    return [
        plan_copy(name, clip, utterance.speaker, pool, own_seed)
        for name, utterance, clip in zip(drawn, utterances, clips, strict=True)
    ]


def draw_condition(utterance: Utterance, conditions: Sequence[str], seed: int) -> str:
    """Draw one of the conditions, each as likely, by utterance id."""
    random = generator(seed, "condition", utterance.utterance_id)
    return conditions[int(random.integers(len(conditions)))]


def hear(sound: Acoustics, copy: Copy) -> Heard:
    """Make the samples of an utterance; a clean one comes back bit by bit."""
    if copy.domain == CLEAN:
        draws = Draws(CLEAN, copy.clip.stem.name, copy.clip.utterance_id)
        return Heard(copy.clip.samples(), draws)
    degraded = degrade(sound, copy)
    return Heard(to_int16(degraded.signal), degraded.draws)


def _recording(corpus: Corpus, utterance: Utterance, samples: np.ndarray) -> Recording:
    """Put samples beside what the corpus knows of the utterance, or of the one it is a twin of."""
    name = utterance.twin or utterance.utterance_id
    return Recording(
        utterance,
        samples,
        corpus.phones.get(name, ()),
        corpus.transcripts.get(name, ()),
        corpus.words.get(name, ()),
    )
