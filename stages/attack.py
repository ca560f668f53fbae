"""Attack z1: how well does a network trained for it tell speakers by it?"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhvae.commandline import parse_paths, run
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import read_corpus
from fhvae.errors import TrialError
from fhvae.files.atomic import write_metrics
from fhvae.files.packed import Packed, read_packed
from fhvae.intervals import INTERVALS
from fhvae.latents import read_latents
from fhvae.params.asked import read_params
from fhvae.params.attack import AttackParams
from fhvae.params.run import Evaluated
from fhvae.trials import Trials, pairs_of
from fhvae.verification.attack import (
    CHANCE,
    AttackData,
    LabeledCodes,
    Outcome,
    attack_all,
    code_sequences,
    open_set_eer,
)
from fhvae.verification.closed_set import ClosedSet, closed_set
from fhvae.verification.resampling import why_no_eer_interval

log = logging.getLogger(__name__)
NO_DEV = "dev must have two utterances of one speaker and two speakers to choose the attacker"


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    attack: AttackParams


def read_codes(latents: Path, baselines: Path, fbank: Path, split: str) -> dict[str, Packed]:
    """Read every kind of code of one split."""
    return code_sequences(
        read_latents(latents / f"{split}.safetensors"),
        read_latents(baselines / "untrained_latents" / f"{split}.safetensors"),
        read_packed(fbank / split),
    )


def open_set_metrics(outcome: Outcome, trials: Trials) -> dict[str, float | int]:
    """Lay out the EER of the attacker that counts, and how it was chosen."""
    eer = open_set_eer(outcome, trials)
    return {
        **eer.metrics("eer"),
        "chance": CHANCE,
        "dev_eer": outcome.dev_eer,
        "steps": outcome.steps,
        "learning_rate": outcome.attacker.learning_rate,
    }


def closed_set_metrics(found: ClosedSet) -> dict[str, float | int]:
    """Lay out the accuracy of naming test speakers."""
    return {
        **found.accuracy.metrics("accuracy"),
        "chance": found.chance,
        "speakers": found.speakers,
        "left_out": found.left_out,
    }


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, latents, baselines, metrics_path = parse_paths(
        __doc__, "corpus", "fbank", "latents", "baselines", "metrics"
    )
    params = read_params(Params)
    asked, seed = params.attack, params.seed
    known = {item.utterance_id: item for item in read_corpus(corpus_path).utterances}
    codes = {split: read_codes(latents, baselines, fbank, split) for split in SPLITS}
    utterances = {
        split: [known[name] for name in codes[split]["z1"].utterance_ids] for split in SPLITS
    }
    speakers = {split: tuple(item.speaker for item in utterances[split]) for split in SPLITS}
    trials = pairs_of(codes["test"]["z1"].utterance_ids, speakers["test"])
    metrics: dict[str, Any] = {"attack": {}, "closed_set": {}, "absent": {}}

    data = {
        name: AttackData(
            LabeledCodes(codes["train"][name], speakers["train"]),
            LabeledCodes(codes["dev"][name], speakers["dev"]),
            test,
        )
        for name, test in codes["test"].items()
    }
    repeats = asked.repeats if params.protocol == "full" else 1
    for name, outcome in attack_all(data, asked, repeats, seed).items():
        if outcome is None:
            metrics["absent"][f"attack.{name}"] = NO_DEV
        else:
            metrics["attack"][name] = open_set_metrics(outcome, trials)
    for name, test in codes["test"].items():
        try:
            found = closed_set(test, utterances["test"])
            metrics["closed_set"][name] = closed_set_metrics(found)
        except TrialError as error:
            metrics["absent"][f"closed_set.{name}"] = str(error)

    few = why_no_eer_interval(trials)
    metrics["absent"] |= {INTERVALS: few} if few else {}
    for name, reason in metrics["absent"].items():
        log.warning("%s is absent: %s", name, reason)
    targets = int(trials.is_target.sum())
    metrics["trials"] = {"target": targets, "nontarget": len(trials) - targets}
    metrics["speakers"] = len(trials.speaker_names)
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
