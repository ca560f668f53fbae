"""TIMIT: the disc LDC93S1, or the sample of it that NLTK hands out.

The disc      TRAIN|TEST/DR1..DR8/FCJF0/SI1027.WAV .PHN .WRD .TXT
The sample    dr1-fvmh0/si1466.wav .phn .wrd .txt

Names may be upper or lower case, and corpus.path may be a folder above. Recordings are NIST
sphere or RIFF, whatever they are called: their content decides. Where a copy holds both
SI1027.WAV and SI1027.WAV.wav, as one in wide use does, the first is read.

The disc is split as the paper does: all of TRAIN to learn from, and of TEST the 50 development
and the 24 core test speakers of `timit_speakers.csv`; the other 94 are left out. The speakers of
the sample are drawn. SA1 and SA2 are left out everywhere: every speaker reads those two.

Source: core test, "Description of suggested train/test subdivision" of the disc; development
speakers, kaldi-asr/kaldi egs/timit/s5/conf/dev_spk.list, the list of the authors' code too.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import Utterance, assign_splits, check_splits
from fhvae.corpus.recipes.timit_folders import (
    DRAWN,
    UNUSED,
    Sentence,
    Speaker,
    find_sentences,
    find_speakers,
    first_names,
    listed_speakers,
)
from fhvae.corpus.recipes.timit_labels import read_phones, read_text, read_words
from fhvae.errors import CorpusError
from fhvae.params.corpus import CorpusParams
from fhvae.seeds import generator

SPEAKERS = {"train": 462, "dev": 50, "test": 24}  # of the standard split
SENTENCES = 8  # of each speaker, SA1 and SA2 left out

log = logging.getLogger(__name__)


def read_timit(params: CorpusParams, seed: int) -> Listing:
    """Read names, labels and splits of the TIMIT in `corpus.path`; no audio is opened.

    Raises:
        CorpusError: it is not TIMIT, is not whole, or a label file is malformed.
        TrialError: a split of the sample has fewer than two speakers.
    """
    if params.path is None:
        raise ValueError("corpus.path is needed")
    folder = Path(params.path)
    sentences = _used_sentences(folder)
    texts = _labels(sentences, "txt")
    utterances = assign_splits(
        [_utterance(folder, item, texts) for item in sentences],
        params.dev_fraction,
        params.test_fraction,
        generator(seed, "splits"),
    )
    check_splits(utterances, str(folder))
    return Listing(
        where=str(folder),
        utterances=tuple(utterances),
        sources={item.utterance_id: Source(item.recording) for item in sentences},
        phones={name: read_phones(path) for name, path in _labels(sentences, "phn").items()},
        words={name: read_words(path) for name, path in _labels(sentences, "wrd").items()},
    )


def _used_sentences(folder: Path) -> list[Sentence]:
    """Find all sentences that are used, and check that a disc is whole."""
    speakers = find_speakers(folder)
    on_disc = speakers[0].split != DRAWN
    if on_disc:
        _check_speakers(folder, speakers)
    used = [speaker for speaker in speakers if speaker.split != UNUSED]
    sentences = [sentence for speaker in used for sentence in find_sentences(speaker)]
    if on_disc:
        _check_sentences(folder, sentences)
    return sentences


def _check_speakers(folder: Path, speakers: Iterable[Speaker]) -> None:
    """Check that all whom the paper's splits need are there."""
    splits = {speaker.name: speaker.split for speaker in speakers}
    found = Counter(splits.values())
    if all(found[split] == count for split, count in SPEAKERS.items()):
        return
    absent = [name for name, split in listed_speakers().items() if splits.get(name) != split]
    named = f"; not in TEST: {first_names(absent)}" if absent else ""
    raise CorpusError(
        f"{folder}: TIMIT must have {SPEAKERS['train']} speakers in TRAIN, and in TEST "
        f"{SPEAKERS['dev']} of the development list and {SPEAKERS['test']} of the core test, "
        f"found {found['train']}, {found['dev']} and {found['test']}{named}; copy the disc again"
    )


def _check_sentences(folder: Path, sentences: Iterable[Sentence]) -> None:
    """Check that each of these speakers reads all sentences."""
    counts = Counter(item.speaker.name for item in sentences)
    other = [f"{name} has {count}" for name, count in counts.items() if count != SENTENCES]
    if other:
        raise CorpusError(
            f"{folder}: a speaker of TIMIT must have {SENTENCES} sentences besides SA1 and SA2, "
            f"not so {len(other)} of {len(counts)}: {first_names(other)}; copy the disc again"
        )


def _labels(sentences: Sequence[Sentence], kind: str) -> dict[str, Path]:
    """Give the label files of a kind by utterance id; what is missing is counted."""
    found = {item.utterance_id: item.labels[kind] for item in sentences if kind in item.labels}
    absent = [item.utterance_id for item in sentences if kind not in item.labels]
    if absent:
        log.warning(
            "%d of %d utterances have no .%s beside them, the first is %s",
            len(absent), len(sentences), kind, absent[0],
        )  # fmt: skip
    return found


def _utterance(folder: Path, sentence: Sentence, texts: Mapping[str, Path]) -> Utterance:
    """Say what the names and the text file say; how long it lasts the recording will tell."""
    speaker, name = sentence.speaker, sentence.utterance_id
    return Utterance(
        utterance_id=name,
        path=sentence.recording.relative_to(folder).as_posix(),
        speaker=speaker.name,
        gender=speaker.name[0].upper(),
        text=read_text(texts[name]) if name in texts else "",
        split=speaker.split,
        duration_s=0.0,
        dialect=speaker.dialect,
    )
