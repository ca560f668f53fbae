"""Pull one lever of training at a time and say what it did: the search behind the defaults.

    dvc exp run -S corpus.name=speechocean762 -S corpus.speechocean762.split=adults108 fbank
    python -m experiments.levers run --hand-labels TIMIT       # made by experiments.timit_sample
    python -m experiments.levers table                         # -> docs/levers.md

Every lever of levers.yaml trains one model and looks at: dev (what may choose), test speakers
(what may not: it is written down, and read after the choice), and the phones of a corpus with
hand labels, on half of its speakers (what may choose) and on all. A lever that has a result
file is skipped, and so is one whose `method` is no param: levers.yaml says why.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.sizes import ROOT, default_values, put
from experiments.hand_labels import phone_accuracy, read_hand_labels
from experiments.timed import train_timed
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_file, write_json
from fhvae.files.packed import read_packed
from fhvae.inference import infer_latents
from fhvae.latents import Latents
from fhvae.model.network import FHVAE
from fhvae.model.weights import TrainedModel
from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params
from fhvae.report.tables import spread, table
from fhvae.training.batches import open_sequences
from fhvae.trials import Vectors, cosine_scores, eer, pairs_of
from fhvae.verification.backends import fit_lda, project

PLAN = Path(__file__).with_suffix(".yaml")
RESULTS = Path(__file__).parent / "results" / "levers"
DATA = ROOT / "data"
LDA_DIMENSIONS = 24


@dataclass(frozen=True)
class Lever:
    """One change against the base.

    Attributes:
        name: of the result file.
        seed: of the run.
        params: dotted keys of params.yaml and their values.
        method: what was not a param; such a lever cannot be pulled any more.
    """

    name: str
    seed: int
    params: Mapping[str, Any]
    method: Mapping[str, Any]

    @property
    def result(self) -> Path:
        """Where its figures are kept."""
        return RESULTS / f"{self.name}-seed{self.seed}.json"


@cache
def read_plan() -> Mapping[str, Any]:
    """Read levers.yaml, once."""
    content: Mapping[str, Any] = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    return content


def planned() -> Iterator[Lever]:
    """List what levers.yaml plans."""
    for name, content in read_plan()["levers"].items():
        for seed in content.get("seeds", [0]):
            yield Lever(name, seed, content.get("params", {}), content.get("method", {}))


def params_of(lever: Lever) -> Params:
    """Apply a lever to the base: params.yaml, then the section `base` of levers.yaml."""
    values = default_values()
    put(values, {**read_plan()["base"], **lever.params, "seed": lever.seed})
    return from_mapping(Params, values, source=f"lever {lever.name}")


def pull(lever: Lever, hand_labels: Path) -> None:
    """Train one model and write its figures."""
    torch.set_num_threads(1)
    os.environ["FHVAE_WORKERS"] = "1"  # this is a worker; the trainings share the cores
    params = params_of(lever)
    speakers = read_corpus(DATA / "corpus").speaker_of
    packed = {split: read_packed(DATA / "fbank" / split) for split in ("train", "dev", "test")}
    train, dev = (
        open_sequences([packed[split]], speakers, params.training.sequence)
        for split in ("train", "dev")
    )
    trained, seconds = train_timed(params, train, dev.load(torch.device("cpu")))
    network = FHVAE(params.fbank.mels, params.segments.frames, params.model)
    network.load_state_dict(trained.weights)
    model = TrainedModel(network.eval(), params.segments, params.fbank)
    latents = {
        split: infer_latents(model, frames, params.latents.shift)
        for split, frames in packed.items()
    }
    folder = replace(params.corpus, name="manifest", path=str(hand_labels))
    labeled = read_hand_labels(folder, params, DATA / "fbank" / "normalizer.json")
    curve = [
        {
            "epoch": record.epoch,
            "cpu_s": round(cpu_s, 1),
            "lower_bound": record.dev.lower_bound,
            "kl_z1": record.dev.kl_z1,
            "kl_z2": record.dev.kl_z2,
            "eer_mu2": record.dev.eer_mu2,
            "eer_mu1": record.dev.eer_mu1,
        }
        for record, cpu_s in zip(trained.curve, seconds, strict=True)
    ]
    write_json(
        lever.result,
        {
            "params": dict(lever.params),
            "cpu_s": round(seconds[-1]),
            "curve": curve,
            **error_rates(latents, speakers),
            "phone": phone_accuracy(model, packed["train"], labeled, params),
        },
    )


def error_rates(
    latents: Mapping[str, Latents], speakers: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Compute the EER of mu2 (cosine, LDA) and of mu1 on dev and on test."""
    who = {split: [speakers[name] for name in own.utterance_ids] for split, own in latents.items()}
    mu2, mu1 = (
        {
            split: Vectors(own.utterance_ids, getattr(own, name).astype(np.float64))
            for split, own in latents.items()
        }
        for name in ("mu2", "mu1")
    )
    lda = fit_lda(mu2["train"], who["train"], LDA_DIMENSIONS)
    found = {}
    for split in ("dev", "test"):
        trials = pairs_of(mu2[split].utterance_ids, who[split])
        systems = {
            "mu2_cos": mu2[split],
            "mu2_lda": project(lda, mu2[split]),
            "mu1_cos": mu1[split],
        }
        found[split] = {
            name: eer(cosine_scores(vectors, trials), trials.is_target)
            for name, vectors in systems.items()
        }
    return found


COLUMNS: dict[str, tuple[float, Callable[[dict[str, Any]], float]]] = {
    "dev bound (nats)": (1, lambda run: run["curve"][-1]["lower_bound"]),
    "dev mu2": (100, lambda run: run["dev"]["mu2_cos"]),
    "dev mu1": (100, lambda run: run["dev"]["mu1_cos"]),
    "test mu2": (100, lambda run: run["test"]["mu2_cos"]),
    "test mu2, LDA": (100, lambda run: run["test"]["mu2_lda"]),
    "test mu1": (100, lambda run: run["test"]["mu1_cos"]),
    "phone z1, half": (100, lambda run: run["phone"]["z1"]["half"]),
    "phone z1, all": (100, lambda run: run["phone"]["z1"]["all"]),
    "PCA, half": (100, lambda run: run["phone"]["pca"]["half"]),
    "PCA, all": (100, lambda run: run["phone"]["pca"]["all"]),
    "phone z2, half": (100, lambda run: run["phone"]["z2"]["half"]),
    "CPU s": (1, lambda run: run["cpu_s"]),
}


def page() -> str:
    """Lay docs/levers.md out; no number is typed by hand."""
    plan, rows = read_plan(), []
    for name, content in plan["levers"].items():
        paths = sorted(RESULTS.glob(f"{name}-seed*.json"))
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        if runs:
            cells = [spread([value(run) for run in runs], k) for k, value in COLUMNS.values()]
            rows.append([name, content["what"], str(len(runs)), *cells])
    return f"{plan['introduction']}\n{table(['lever', 'change', 'seeds', *COLUMNS], rows)}"


def main() -> None:
    """Run what is missing, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--hand-labels", type=Path, help="folder with manifest.csv and phones.csv")
    parser.add_argument("--levers", nargs="*", help="only these")
    parser.add_argument("--seeds", type=int, nargs="*", help="only these")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    options = parser.parse_args()
    if options.action == "run":
        if options.hand_labels is None:
            parser.error("run needs --hand-labels, a corpus folder with phones.csv")
        missing = [one for one in planned() if not (one.method or one.result.exists())]
        if options.levers:
            missing = [lever for lever in missing if lever.name in options.levers]
        if options.seeds:
            missing = [lever for lever in missing if lever.seed in options.seeds]
        with ProcessPoolExecutor(options.jobs) as pool:
            list(pool.map(partial(pull, hand_labels=options.hand_labels), missing))
    with new_file(ROOT / "docs" / "levers.md") as partial_page:
        partial_page.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
