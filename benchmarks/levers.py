"""Pull one lever of training at a time and say what it did: the search behind the defaults.

    dvc exp run -S corpus.name=manifest -S corpus.path=DIR fbank     # corpus and frames
    python -m benchmarks.levers run --hand-labels ../shared/data/timit_sample
    python -m benchmarks.levers table                                # -> docs/levers.md

Every lever of levers.yaml trains one model and looks at: dev (what may choose), test speakers
(what may not: it is written down, and read after the choice), and the phones of a corpus with
hand labels, on half of its speakers (what may choose) and on all. A lever that has a result
file is skipped.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.hand_labels import phone_accuracy, read_hand_labels
from benchmarks.headline import table
from benchmarks.lever_trainer import LeverTrainer, Method, NoCheckpoint, warped_copies
from benchmarks.quality_table import spread
from benchmarks.sizes import default_values, put
from fhvae.artifacts import Packed, new_file, read_packed, write_json
from fhvae.corpus.store import read_corpus
from fhvae.features.normalize import Normalizer, read_normalizer
from fhvae.inference import infer_latents
from fhvae.latents import Latents
from fhvae.model.network import FHVAE
from fhvae.model.weights import TrainedModel
from fhvae.params.domains import learned_domains
from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params
from fhvae.training.batches import open_sequences
from fhvae.training.checkpoint import course_of_run
from fhvae.training.loop import Setting, TrainedRun
from fhvae.trials.cosine import Vectors, cosine_scores
from fhvae.trials.error_rates import eer
from fhvae.trials.monitor import cosine_eer
from fhvae.trials.pairs import pairs_of
from fhvae.verification.backends import fit_lda, project

ROOT = Path(__file__).parent.parent
PLAN = Path(__file__).with_name("levers.yaml")
RESULTS = Path(__file__).parent / "results" / "levers"
DATA = ROOT / "data"
OTHER_DATA = ROOT / "data_other"  # frames and corpus of a second corpus, for one lever
LDA_DIMENSIONS = 24


@dataclass(frozen=True)
class Lever:
    """One change against the base.

    Attributes:
        name: of the result file.
        seed: of the run.
        params: dotted keys of params.yaml and their values.
        method: what is not a param.
    """

    name: str
    seed: int
    params: Mapping[str, Any]
    method: Method

    @property
    def result(self) -> Path:
        """Where its figures are kept."""
        return RESULTS / f"{self.name}-seed{self.seed}.json"


def planned() -> Iterator[Lever]:
    """Read levers.yaml."""
    for name, content in yaml.safe_load(PLAN.read_text(encoding="utf-8"))["levers"].items():
        for seed in content.get("seeds", [0]):
            method = Method(**content.get("method", {}))
            yield Lever(name, seed, content.get("params", {}), method)


def params_of(lever: Lever) -> Params:
    """Apply a lever to the base: params.yaml, then the section `base` of levers.yaml."""
    values = default_values()
    base = yaml.safe_load(PLAN.read_text(encoding="utf-8"))["base"]
    put(values, {**base, **lever.params, "seed": lever.seed})
    return from_mapping(Params, values, source=f"lever {lever.name}")


def pull(lever: Lever, hand_labels: Path) -> None:
    """Train one model and write its figures."""
    torch.set_num_threads(1)
    os.environ["FHVAE_WORKERS"] = "1"  # this is a worker; the trainings share the cores
    params = params_of(lever)
    speakers = {item.utterance_id: item.speaker for item in read_corpus(DATA / "corpus").utterances}
    packed = {split: read_packed(DATA / "fbank" / split) for split in ("train", "dev", "test")}
    trained, seconds = train(params, lever.method, packed, speakers)
    network = FHVAE(params.fbank.mels, params.segments.frames, params.model)
    network.load_state_dict(trained.weights)
    model = TrainedModel(network.eval(), params.segments, params.fbank)
    latents = {
        split: infer_latents(model, frames, params.latents.shift)
        for split, frames in packed.items()
    }
    folder = replace(params.corpus, name="manifest", path=str(hand_labels))
    labelled = read_hand_labels(folder, params, DATA / "fbank" / "normalizer.json")
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
            "method": asdict(lever.method),
            "cpu_s": round(seconds[-1]),
            "curve": curve,
            **error_rates(latents, speakers),
            "phone": phone_accuracy(model, packed["train"], labelled, params),
        },
    )


def train(
    params: Params, method: Method, packed: Mapping[str, Packed], speakers: Mapping[str, str]
) -> tuple[TrainedRun, list[float]]:
    """Train as the stage does, with the method of the lever.

    Returns:
        The outcome, and the CPU seconds of all steps until the end of each epoch.
    """
    normalizer = read_normalizer(DATA / "fbank" / "normalizer.json")
    copies = [packed["train"], *warped_copies(packed["train"], normalizer, method, params.seed)]
    if method.noisy_copies:
        noisy = [
            DATA / "domains_train" / name / "train" for name in learned_domains(params.domains)
        ]
        copies += [read_packed(stem) for stem in noisy]
    if method.other_corpus:
        frames, people = read_other_corpus(OTHER_DATA, normalizer)
        copies, speakers = [*copies, frames], {**speakers, **people}
    cpu = torch.device("cpu")
    data = open_sequences(copies, speakers, params.training.sequence)
    dev = open_sequences([packed["dev"]], speakers, params.training.sequence).load(cpu)
    setting = Setting(params.alpha, params.seed, params.segments, params.model, params.training)
    course = {**course_of_run(**vars(setting), data_digests=[], device=cpu), **vars(method)}
    with tempfile.TemporaryDirectory() as folder:
        nowhere = NoCheckpoint(course, Path(folder))
        trainer = LeverTrainer(setting, data, dev, method, nowhere, cosine_eer)
        return trainer.run(), trainer.cpu_s


def read_other_corpus(data: Path, normalizer: Normalizer) -> tuple[Packed, dict[str, str]]:
    """Read the train frames of another corpus on this one's scale, and who speaks in it."""
    own = read_normalizer(data / "fbank" / "normalizer.json")
    packed = read_packed(data / "fbank" / "train")
    rows = normalizer.apply(own.undo(np.asarray(packed.rows)))
    people = {item.utterance_id: item.speaker for item in read_corpus(data / "corpus").utterances}
    return Packed(rows, packed.utterance_ids, packed.offsets, packed.lengths), people


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
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    rows = []
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
        missing = [lever for lever in planned() if not lever.result.exists()]
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
