"""Train the FHVAE: normalized frames -> weights, learning curve."""

import logging

import pandas as pd

from fhvae.artifacts import file_digest, packed_files, read_packed, write_csv, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.model.weights import NORMALIZER, write_model
from fhvae.params import Params, learned_domains, load_params
from fhvae.plots.drawing import can_draw
from fhvae.plots.learning_curve import draw_learning_curve
from fhvae.training.checkpoint import Checkpoint, course_of_run, labels_digest
from fhvae.training.data import open_sequences
from fhvae.training.loop import Setting, TrainedRun, Trainer
from fhvae.training.precision import set_precision
from fhvae.training.world import joined_world
from fhvae.verification.monitor import cosine_eer


def train_metrics(run: TrainedRun, params: Params, sequences: int) -> dict[str, object]:
    """Lay out metrics/train.json: the best epoch, and whether z2 works there."""
    best, steps = run.best, run.curve[-1].step
    metrics: dict[str, object] = {
        "dev_lower_bound": best.dev.lower_bound,
        "best_epoch": best.epoch,
        "steps": steps,
        "segments": steps * params.training.batch,
        "passes": run.curve[-1].passes,
        "sequences": sequences,
        "dev_log_px": best.dev.log_px,
        "dev_kl_z1": best.dev.kl_z1,
        "collapse": {
            "collapsed": int(bool(best.collapsed)),
            "dev_kl_z2": best.dev.kl_z2,
            "z2_mean_variance": best.dev.z2_mean_variance,
            "log_q": best.train.log_q,
            "log_q_of_chance": best.log_q_of_chance,
        },
    }
    eers = {"mu2": best.dev.eer_mu2, "mu1": best.dev.eer_mu1}
    metrics["dev_eer"] = {name: eer for name, eer in eers.items() if eer is not None}
    return metrics


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, domains, model, metrics, plots = parse_paths(
        __doc__, "corpus", "fbank", "domains", "model", "metrics", "plots"
    )
    params = load_params()
    device = choose_device()
    set_precision(params.training.precision, device)
    logging.info("training on %s", device.type)
    speakers = {item.utterance_id: item.speaker for item in read_corpus(corpus_path).utterances}
    copies = learned_domains(params.domains) if params.training.domains == "all" else ()
    stems = {  # dev stays clean, so that the bounds of all runs compare
        "train": [fbank / "train", *(domains / name / "train" for name in copies)],
        "dev": [fbank / "dev"],
    }
    train, dev = (
        open_sequences([read_packed(stem) for stem in own], speakers, params.training.sequence)
        for own in stems.values()
    )
    setting = Setting(params.alpha, params.seed, params.segments, params.model, params.training)
    files = [file for own in stems.values() for stem in own for file in packed_files(stem)]
    digests = [file_digest(file) for file in files]
    digests += [labels_digest(data.speakers) for data in (train, dev)]
    checkpoint = Checkpoint(course_of_run(**vars(setting), data_digests=digests, device=device))
    with joined_world(device) as world:
        trained = Trainer(
            setting, train, dev.load(device), checkpoint, monitor=cosine_eer, world=world
        ).run()
    if not world.writes:
        return
    normalizer = fbank / NORMALIZER
    write_model(model, trained.weights, params.model, params.segments, params.fbank, normalizer)
    curve = pd.DataFrame([record.row() for record in trained.curve])
    write_csv(plots / "learning_curve.csv", curve.round(6))
    if can_draw("matplotlib"):
        draw_learning_curve(plots / "learning_curve.png", curve)
    write_metrics(metrics, train_metrics(trained, params, len(train)))
    checkpoint.clear()


if __name__ == "__main__":
    run(main)
