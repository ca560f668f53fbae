"""From a corpus and params to the copies that are wanted and what they are made with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fhvae.acoustics import aurora
from fhvae.acoustics.copies import Acoustics, Workshop
from fhvae.acoustics.noises import speech_spectrum
from fhvae.acoustics.plan import (
    SPEECH_SHAPED,
    Copy,
    NoisePool,
    group_voices,
    plan_copies,
    read_clips,
)
from fhvae.acoustics.recordings import NoiseFolder, read_noise_folder
from fhvae.corpus.store import Corpus
from fhvae.errors import ArtifactError
from fhvae.features.extraction import Clip
from fhvae.features.normalize import read_normalizer
from fhvae.params.domains import DomainsParams, learned_domains, scored_domains
from fhvae.params.fbank import FbankParams

TRAIN_SPLITS, TEST_SPLITS = ("train", "dev"), ("test",)


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
        test: of the split test.
        noises: recorded noise, where the kind folder is asked for.
    """

    workshop: Workshop
    train: tuple[DomainSplit, ...]
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
    noises = recorded(domains)
    speakers = corpus.speaker_of

    def plan(
        names: Sequence[str], splits: Sequence[str], kinds: tuple[str, ...]
    ) -> tuple[DomainSplit, ...]:
        voices = group_voices(clips["train"], corpus.utterances)
        recordings = noises.kept if noises else ()
        pool = NoisePool(kinds, voices, domains, recordings)
        return tuple(
            DomainSplit(name, split, tuple(plan_copies(name, clips[split], speakers, pool, seed)))
            for name in names
            for split in splits
        )

    return Prepared(
        workshop=_workshop(clips["train"], frames, domains, fbank, seed),
        train=plan(learned_domains(domains), TRAIN_SPLITS, domains.train_noises),
        test=plan(scored_domains(domains), TEST_SPLITS, domains.test_noises),
        noises=noises,
    )


def recorded(domains: DomainsParams) -> NoiseFolder | None:
    """Read the folder of recorded noise, where the params name one."""
    if domains.noise_path is None:
        return None
    return read_noise_folder(Path(domains.noise_path), domains.active_range_db)


def _workshop(
    clips: Sequence[Clip], frames: Path, domains: DomainsParams, fbank: FbankParams, seed: int
) -> Workshop:
    normalizer = read_normalizer(frames / "normalizer.json")
    if len(normalizer.mean) != fbank.mels:
        raise ArtifactError(
            f"{frames / 'normalizer.json'} must hold fbank.mels={fbank.mels} bands, it holds "
            f"{len(normalizer.mean)}; rerun the stage fbank"
        )
    made = (*learned_domains(domains), *scored_domains(domains))
    return Workshop(acoustics(clips, domains, made, seed), fbank, normalizer)


def acoustics(
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
