"""Which copies are made, and of what noise."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fhvae.acoustics.noises import NoiseRecording
from fhvae.acoustics.plan import (
    NoisePool,
    Voices,
    group_voices,
    plan_copies,
    read_clips,
    snr_db,
)
from fhvae.corpus.manifest import Utterance
from fhvae.errors import ArtifactError, CorpusError
from fhvae.features.extraction import Clip
from fhvae.files.packed import PackedWriter
from fhvae.params.whole import load_params
from tests.fhvae.acoustics.made_up_sounds import HOP_MS, burst, pack

DOMAINS = load_params().domains


def clip(name):
    return Clip(Path("train"), name, 0, 5000, 32)


def voices(speakers, each=3):
    return Voices(
        tuple(speakers), tuple(tuple(clip(f"{name}-{n}") for n in range(each)) for name in speakers)
    )


def pool(*kinds, speakers="abcdefg", babble_voices=3, recordings=()):
    domains = replace(DOMAINS, babble_voices=babble_voices)
    return NoisePool(kinds, voices(speakers), domains, recordings)


UTTERANCES = [clip(f"{speaker}-{number}") for speaker in "abcdefg" for number in range(40)]
SPEAKER_OF = {one.utterance_id: one.utterance_id[0] for one in UTTERANCES}


@pytest.mark.parametrize(
    ("domain", "expected"),
    [("noise20", 20), ("noise5", 5), ("noise0", 0), ("telephone", None), ("room", None)],
)
def test_the_name_of_a_domain_says_its_ratio(domain, expected):
    assert snr_db(domain) == expected


def test_every_kind_is_as_likely():
    plan = plan_copies("noise10", UTTERANCES, SPEAKER_OF, pool("white", "pink"), seed=0)
    counts = Counter(copy.noise for copy in plan)
    assert counts.keys() == {"white", "pink"}
    assert abs(counts["white"] - 140) < 34  # four standard deviations of 280 throws of a coin


def test_babble_is_of_different_speakers_and_never_of_the_one_who_speaks():
    plan = plan_copies("noise0", UTTERANCES, SPEAKER_OF, pool("babble"), seed=0)
    heard = Counter()
    for copy in plan:
        speakers = [voice.utterance_id[0] for voice in copy.voices]
        assert len(set(speakers)) == len(speakers) == 3
        assert SPEAKER_OF[copy.clip.utterance_id] not in speakers
        heard.update(voice.utterance_id for voice in copy.voices)
    assert len(heard) == 7 * 3  # every speaker, every utterance


def test_babble_makes_do_with_the_speakers_there_are():
    few = pool("babble", speakers="ab", babble_voices=5)
    plan = plan_copies("noise0", [clip("a-0"), clip("x-0")], {"a-0": "a", "x-0": "x"}, few, 0)
    assert [len(copy.voices) for copy in plan] == [1, 2]


def test_babble_needs_another_speaker():
    with pytest.raises(
        CorpusError, match=r"utterance a-0: babble must be of other .* a is the onl"
    ):
        plan_copies("noise0", [clip("a-0")], {"a-0": "a"}, pool("babble", speakers="a"), 0)


def test_a_plan_depends_on_seed_and_utterance_and_on_no_order():
    recordings = tuple(NoiseRecording(name, Path(name), "rain") for name in "rst")
    mixed = pool("white", "babble", "folder", recordings=recordings)

    def planned(clips, seed=0):
        return {
            copy.clip.utterance_id: copy
            for copy in plan_copies("noise10", clips, SPEAKER_OF, mixed, seed)
        }

    whole = planned(UTTERANCES)
    assert planned(UTTERANCES[::-1]) == whole
    assert planned(UTTERANCES[5:6]) == {"a-5": whole["a-5"]}
    other = planned(UTTERANCES, seed=1)
    assert [one.noise for one in other.values()] != [one.noise for one in whole.values()]
    used = {copy.recording.noise_id for copy in whole.values() if copy.noise == "folder"}
    assert used == {"r", "s", "t"}


def test_an_utterance_meets_the_same_noise_at_every_level():
    mixed = pool("white", "pink", "babble")
    plans = [
        plan_copies(domain, UTTERANCES, SPEAKER_OF, mixed, 0) for domain in ("noise20", "noise0")
    ]
    for loud, soft in zip(*plans, strict=True):
        assert (loud.noise, loud.voices) == (soft.noise, soft.voices)


def test_other_domains_have_no_noise():
    for domain in ("telephone", "room"):
        plan = plan_copies(domain, UTTERANCES[:2], SPEAKER_OF, pool("white"), 0)
        assert [(copy.domain, copy.noise) for copy in plan] == [(domain, "")] * 2


def test_voices_are_sorted_by_speaker():
    items = [Utterance(name, "", name[0], "", "", "train", 1.0) for name in ("b-0", "a-1", "b-1")]
    clips = [clip(item.utterance_id) for item in items]
    found = group_voices(clips[:2], items)
    assert found == Voices(("a", "b"), ((clips[1],), (clips[0],)))


@pytest.fixture
def packed(tmp_path):
    pack(tmp_path / "train", {"c": burst(1601, 0), "a": burst(2000, 1), "b": burst(900, 2)})
    return tmp_path


def write_frames(stem, lengths):
    with PackedWriter(stem, "float32", (4,)) as writer:
        for name, length in lengths.items():
            writer.append(name, np.zeros((length, 4)))


def test_the_utterances_are_those_that_have_frames(packed):
    write_frames(packed / "fbank", {"a": 13, "c": 11})
    found = read_clips(packed / "train", packed / "fbank", HOP_MS)
    assert [(one.utterance_id, one.length, one.frames) for one in found] == [
        ("a", 2000, 13),
        ("c", 1601, 11),
    ]
    assert found[0].samples().tolist() == burst(2000, 1).tolist()


@pytest.mark.parametrize("frames", [{"a": 12}, {"x": 13}])
def test_frames_of_another_corpus_are_refused(packed, frames):
    write_frames(packed / "fbank", frames)
    with pytest.raises(ArtifactError, match=r"utterance [ax] has 1[23] frames and .*rerun the st"):
        read_clips(packed / "train", packed / "fbank", HOP_MS)
