"""Make the model that comes with the package, fhvae/shipped/, of a trained run on speechocean762.

    dvc exp run -S corpus.name=manifest -S corpus.path=DIR -S alpha=30 -S seed=0 train
    python -m experiments.ship RUN

DIR is the folder of recordings (108 adults, split by speaker), RUN the working tree in which that
was typed. Weights stay float32, so that no figure moves. The calibration of scores is fitted on
dev, figures are of test; they go to experiments/results/ship.json, and the card is written from
there.
"""

import argparse
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.sizes import ROOT
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import file_digest, read_json, write_json
from fhvae.files.packed import read_packed
from fhvae.inference import infer_latents, mean_mu2
from fhvae.latents import Latents
from fhvae.model.card import Origin, card
from fhvae.model.weights import CARD, NORMALIZER, WEIGHTS, TrainedModel, read_model, write_model
from fhvae.params.reading import read_yaml
from fhvae.trials import Trials, Vectors, cosine_scores, eer, pairs_of, rank_trials
from fhvae.verification.calibration import calibrate
from fhvae.verification.error_rates import cllr
from fhvae.verification.evaluate import error_rates
from fhvae.verification.resampling import leave_one_out_eer

SHIPPED = ROOT / "fhvae" / "shipped"
RESULT = Path(__file__).parent / "results" / "ship.json"
DATA = (
    "speechocean762 (Zhang et al. 2021, openslr.org/101, CC BY 4.0): its 108 adult speakers, of "
    "which 72 train"
)
# What a reader must know and no file says.
ABOUT = """\
## Data and licence

Trained on recordings of [speechocean762](https://www.openslr.org/101/) (J. Zhang, Z. Zhang,
Y. Wang, Z. Yan, Q. Song, Y. Huang, K. Li, D. Povey, Y. Wang: *speechocean762: An Open-Source
Non-native English Speech Corpus For Pronunciation Assessment*, Interspeech 2021), licensed under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Changes: only a statistical model of the
recordings is kept; children were left out, and the 108 adults were split anew, 72 to train, 12
for dev, 24 for test. The weights are licensed under CC BY 4.0 as well.

## Figures

| | % or bits | 95 % over speakers |
|---|---|---|
{rows}

{counts}
Same corpus, same way of recording: other speech gives other figures. Trained at commit {commit}.

## Limits

- Mandarin-accented English, read aloud, sentence by sentence, on mobile phones. Other languages,
  free speech, music and other rooms were never heard.
- Each speaker was recorded in one session. mu2 knows phone and room along with the voice: between
  sessions the EER is higher, and a score lower, than here.
- The calibration of `score` is fitted on the 12 speakers of dev; elsewhere a ratio of 0 need not
  be the border.
- 80 log-mel bands up to 8 kHz, every 10 ms: what has no place there no conversion changes.
- It proves nobody's identity and hides nobody's.
"""


@dataclass(frozen=True)
class Run:
    """A working tree after the stage train."""

    folder: Path

    @property
    def origin(self) -> Origin:
        """Where the model comes from."""
        params = read_yaml(self.folder / "params.yaml")
        command = ["git", "-C", str(self.folder), "rev-parse", "HEAD"]
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        return Origin(
            corpus="speechocean762",
            alpha=float(params["alpha"]),
            seed=int(params["seed"]),
            commit=commit,
            licence="CC-BY-4.0",
            data=DATA,
        )


def ship(run: Run) -> dict[str, Any]:
    """Write the model with its calibration; give its figures."""
    found = read_model(run.folder / "models" / "fhvae", torch.device("cpu"))
    fbank = run.folder / "data" / "fbank"
    speaker_of = read_corpus(run.folder / "data" / "corpus").speaker_of
    latents = {
        split: infer_latents(found, read_packed(fbank / split), found.segments.shift, split)
        for split in ("dev", "test")
    }
    speakers = {
        split: [speaker_of[name] for name in own.utterance_ids] for split, own in latents.items()
    }
    calibration = calibrate(latents["dev"].mu2, speakers["dev"])
    clean = mean_mu2(found, read_packed(fbank / "train"), lambda _: True)
    write_model(
        SHIPPED,
        found.network.state_dict(),
        found.network.params,
        found.segments,
        found.fbank,
        fbank / NORMALIZER,
        run.origin,
        clean,
        calibration,
    )
    shipped = replace(found, calibration=calibration)
    return {
        "commit": run.origin.commit,
        "weights": file_digest(SHIPPED / WEIGHTS),
        **figures(shipped, latents, speakers),
    }


def figures(
    trained: TrainedModel, latents: Mapping[str, Latents], speakers: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Compute what the card says, of all pairs of dev or test."""
    trials = pairs_of(latents["test"].utterance_ids, speakers["test"])
    dev = pairs_of(latents["dev"].utterance_ids, speakers["dev"])
    known = trained.calibration
    mu2 = _scores(latents["test"], latents["test"].mu2, trials)
    dev_mu2 = _scores(latents["dev"], latents["dev"].mu2, dev)
    found: dict[str, Any] = {
        "mu2": _rates(mu2, trials),
        "mu1": _rates(_scores(latents["test"], mu1(latents["test"]), trials), trials),
        "dev_eer": eer(dev_mu2, dev.is_target),
        "speakers": len(trials.speaker_names),
        "utterances": len(trials.utterance_ids),
        "target": int(trials.is_target.sum()),
        "nontarget": int((~trials.is_target).sum()),
    }
    if known is not None:
        found["cllr"] = cllr(known.scale * mu2 + known.offset, trials.is_target)
    return found


def mu1(latents: Latents) -> np.ndarray:
    """Average the means of z1 over each utterance, `[utterance, z1]`."""
    sums = np.add.reduceat(latents.z1_mean.astype(np.float64), latents.offsets)
    return np.asarray(sums / latents.lengths[:, None])


def _scores(latents: Latents, vectors: np.ndarray, trials: Trials) -> np.ndarray:
    return cosine_scores(Vectors(latents.utterance_ids, vectors.astype(np.float64)), trials)


def _rates(scores: np.ndarray, trials: Trials) -> dict[str, float | int | str]:
    ranked = rank_trials(scores, trials.is_target)
    return error_rates(trials, ranked, leave_one_out_eer(trials, ranked), priors=())


def shipped_card(trained: TrainedModel, found: Mapping[str, Any]) -> str:
    """Write the card from the figures."""
    weights = sum(weight.numel() for weight in trained.network.parameters())
    sections = (trained.network.params, trained.segments, trained.fbank)
    head = card(trained.origin, *sections, weights).replace(
        'fhvae.load("this/folder")', "fhvae.load()"
    )
    rows = [
        _row("EER of mu2 by cosine (who speaks: low)", found["mu2"]),
        _row("EER of the mean of z1 by cosine (what is said: high)", found["mu1"]),
        f"| EER of mu2 by cosine, dev | {100 * found['dev_eer']:.1f} | |",
    ]
    if "cllr" in found:
        rows.append(f"| Cllr of `score`, bits (nothing known: 1) | {found['cllr']:.3f} | |")
    counts = (
        f"Of the {found['utterances']} recordings of {found['speakers']} test speakers, in all "
        f"{found['target']:,} pairs of one speaker and {found['nontarget']:,} of two."
    )
    about = ABOUT.format(rows="\n".join(rows), counts=counts, commit=found["commit"][:7])
    return f"{head}\n{about}"


def _row(name: str, found: Mapping[str, float]) -> str:
    eer_, low, high = (100 * found[key] for key in ("eer", "eer_low", "eer_high"))
    return f"| {name} | {eer_:.1f} | {low:.1f} to {high:.1f} |"


def main() -> None:
    """Write fhvae/shipped/ and the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a working tree after the stage train")
    write_json(RESULT, ship(Run(parser.parse_args().run)))
    trained = read_model(SHIPPED, torch.device("cpu"))
    text = shipped_card(trained, read_json(RESULT))
    (SHIPPED / CARD).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
