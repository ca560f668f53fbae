"""What was trained on what: the corpus, the training, the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fhvae.cited import look_up
from fhvae.files.tensors import numbers_in
from fhvae.model.weights import read_config, weights_of
from fhvae.report.run_page.cells import MISSING, Table, count
from fhvae.report.shape import SPLITS

Metrics = Mapping[str, Any]
BYTES_A_MB = 1e6  # as disks are sold


def corpus_table(download: Metrics) -> Table:
    """Count speakers, utterances, hours and phones of every split."""
    rows = []
    for split in SPLITS:
        own = download.get(split)
        if own is None:
            continue
        genders = own.get("genders", {})
        who = ", ".join(f"{genders[one]} {one}" for one in ("F", "M") if one in genders)
        speakers = f"{own['speakers']} ({who})" if who else f"{own['speakers']} (sex unknown)"
        hours = f"{own['hours']:.2f}"
        counts = [count(own["utterances"]), hours, count(own.get("phones", 0))]
        rows.append((split, speakers, *counts))
    header = ("split", "speakers", "utterances", "hours", "phones with times")
    return Table("The corpus; speakers of train, dev and test are disjoint.", header, rows)


def training_table(metrics: Metrics, model: Path, epochs: int) -> Table:
    """Say what learned, from what, how long, and how large it is."""
    config, train = read_config(model), metrics["train"]
    origin, sizes, frames = config.origin, config.model, config.fbank
    segment_ms = config.segments.frames * frames.hop_ms
    weights = weights_of(model)
    megabytes = weights.stat().st_size / BYTES_A_MB
    rows = [
        ("corpus", _known(origin.corpus)),
        ("alpha, weight of the discriminative term", _known(origin.alpha)),
        ("seed", _known(origin.seed)),
        ("input", f"{frames.mels} log-mel bands, a frame each {frames.hop_ms:g} ms"),
        ("segment", f"{config.segments.frames} frames, {segment_ms:g} ms"),
        ("networks", f"{sizes.cell}, {sizes.cells} cells, layers: {sizes.layers}"),
        ("latents", f"z1 {sizes.z1}, z2 {sizes.z2} dimensions"),
        ("parameters", f"{count(numbers_in(weights, 'train'))}, {megabytes:.1f} MB"),
        ("training utterances", count(train["sequences"])),
        ("segments seen", count(train["segments"])),
        ("steps, epochs", f"{count(train['steps'])}, {count(epochs)}"),
        ("epoch that is kept", f"number {train['best_epoch']}, the best on dev"),
        ("arithmetic", arithmetic_of(metrics)),
    ]
    return Table("The model and its training.", ("", "value"), rows)


def warnings_of(train: Metrics) -> list[str]:
    """Say that a latent collapsed: then no figure of the run means much."""
    if not look_up(train, "collapse.collapsed"):
        return []
    kl, share = (look_up(train, f"collapse.{name}") for name in ("dev_kl_z2", "certain_share"))
    return [
        f"WARNING: collapsed. KL of z2 on dev is {kl:.1f} nats, the decoder is certain of "
        f"{100 * share:.0f} % of what it hears; see training.collapse_* in the settings."
    ]


def _known(value: Any) -> str:
    return MISSING if value in (None, "") else str(value)


def arithmetic_of(metrics: Metrics) -> str:
    """Say whether some stage ran in arithmetic that another processor may not repeat."""
    kinds = {look_up(metrics, f"{stage}.arithmetic") for stage in metrics} - {None}
    return ", ".join(sorted(map(str, kinds))) or "portable: every bit as on other x86-64 machines"
