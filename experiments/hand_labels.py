"""Phones that a person has labeled, read from frozen codes of a model trained elsewhere.

    python -m experiments.hand_labels /path/to/timit

takes the model and the baselines of the working tree and writes metrics as the stage probe
does, with `others`, the accuracy on the speakers that chose no setting. `phone_accuracy` is the
quick look of `experiments.levers`: one penalty for all, each speaker scored by a probe fitted on
the others; `half` is the accuracy within half of the speakers, and may choose between trainings;
`all` is over all.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fhvae.baselines.pca import PCA_FILE, apply_pca, fit_pca, read_pca, segment_rows
from fhvae.corpus.catalogue import decode
from fhvae.corpus.manifest import Phone, Recording
from fhvae.corpus.phone_classes import folding_for
from fhvae.corpus.recipes.folder import read_folder
from fhvae.corpus.store import Speakers, phone_at
from fhvae.features.fbank import frame_time_s, log_mel
from fhvae.features.normalize import read_normalizer
from fhvae.files.atomic import write_metrics
from fhvae.files.packed import Packed
from fhvae.inference import infer_latents
from fhvae.model.weights import NORMALIZER, TrainedModel, read_model
from fhvae.params.corpus import CorpusParams
from fhvae.params.whole import Params, load_params
from fhvae.probes.classifiers import Examples, linear_classifiers
from fhvae.probes.rows import Coders
from fhvae.probes.transfer import leave_speakers_out
from fhvae.seeds import generator

SHIFT = 2  # frames between segments
PENALTY = 1e-3  # the same for every code


@dataclass(frozen=True)
class HandLabels:
    """A corpus with phone times.

    Attributes:
        frames: normalized by the train statistics of the model's corpus.
        speakers: of each utterance.
        phones: alignment of each utterance.
    """

    frames: Packed
    speakers: Mapping[str, str]
    phones: Mapping[str, tuple[Phone, ...]]


def read_recordings(corpus: CorpusParams) -> list[Recording]:
    """Decode a corpus folder whole."""
    items = decode(read_folder(corpus), corpus.bad_audio)
    return [item for item in items if isinstance(item, Recording)]


def read_hand_labels(corpus: CorpusParams, params: Params, normalizer: Path) -> HandLabels:
    """Decode a corpus folder with phones.csv and compute its frames."""
    scale = read_normalizer(normalizer)
    found = read_recordings(corpus)
    rows = [scale.apply(log_mel(item.samples, params.fbank)) for item in found]
    lengths = np.array([len(one) for one in rows])
    names = tuple(item.utterance.utterance_id for item in found)
    return HandLabels(
        frames=Packed(np.concatenate(rows), names, np.cumsum(lengths) - lengths, lengths),
        speakers=Speakers.of(item.utterance for item in found),
        phones={item.utterance.utterance_id: item.phones for item in found},
    )


def phone_accuracy(
    model: TrainedModel, train: Packed, hand: HandLabels, params: Params
) -> dict[str, dict[str, float]]:
    """Read the phone at the center of a segment from z1, z2 and PCA of the size of z1."""
    frames = params.segments.frames
    latents = infer_latents(model, hand.frames, SHIFT)
    fold = folding_for({phone.phone for alignment in hand.phones.values() for phone in alignment})
    names = np.repeat(np.array(latents.utterance_ids), latents.lengths)
    said = [
        phone_at(hand.phones[name], frame_time_s(int(center), params.fbank.hop_ms))
        for name, center in zip(names, latents.center_frames, strict=True)
    ]
    labels = np.array([(fold(phone) or "") if phone else "" for phone in said])
    places = [hand.frames.position(name) for name in names]
    starts = latents.starts + hand.frames.offsets[places]
    random = generator(params.corpus.seed, "pca")
    pca = fit_pca(train, frames, params.latents.shift, params.model.z1, random)
    kept = labels != ""
    codes = {
        "z1": latents.z1_mean,
        "z2": latents.z2_mean,
        "pca": apply_pca(pca, segment_rows(hand.frames, starts, frames)),
    }
    who = np.array([hand.speakers[name] for name in names])[kept]
    people = sorted(set(who.tolist()))
    half = those_that_choose(people)
    return {
        name: {
            "half": leave_one_out(code[kept], labels[kept], who, half),
            "all": leave_one_out(code[kept], labels[kept], who, people),
        }
        for name, code in codes.items()
    }


def those_that_choose(speakers: Iterable[str]) -> list[str]:
    """Take half of the speakers, of each sex: names of TIMIT begin with it."""
    people = sorted(set(speakers))
    quarter = len(people) // 4
    return people[:quarter] + people[2 * quarter : 3 * quarter]


def leave_one_out(
    codes: np.ndarray, labels: np.ndarray, speakers: np.ndarray, people: Sequence[str]
) -> float:
    """Score each of these speakers by a probe fitted on the others of them."""
    right, rows = 0, 0
    for person in people:
        others = np.isin(speakers, [name for name in people if name != person])
        own = speakers == person
        (probe,) = linear_classifiers(Examples(codes[others], labels[others]), [PENALTY])
        guesses = probe.answers(codes[own]).labels
        right += int((guesses == labels[own]).sum())
        rows += int(own.sum())
    return right / rows


def main() -> None:
    """Score the model of the working tree on a corpus with hand labels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with manifest.csv and phones.csv")
    parser.add_argument("--model", type=Path, default=Path("models/fhvae"))
    parser.add_argument("--baselines", type=Path, default=Path("data/baselines"))
    parser.add_argument("--metrics", type=Path, default=Path("hand_labels.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    params, cpu = load_params(), torch.device("cpu")
    coders = Coders(
        trained=read_model(options.model, cpu),
        untrained=read_model(options.baselines / "untrained", cpu),
        pca=read_pca(options.baselines / "pca" / PCA_FILE),
    )
    corpus = replace(params.corpus, name="manifest", path=str(options.corpus))
    normalizer = read_normalizer(options.model / NORMALIZER)
    recordings = read_recordings(corpus)
    chose = those_that_choose(item.utterance.speaker for item in recordings)
    found = leave_speakers_out(
        recordings, coders, normalizer, params.probes, params.corpus.seed, chose=chose
    )
    write_metrics(options.metrics, {"phone": found})


if __name__ == "__main__":
    main()
