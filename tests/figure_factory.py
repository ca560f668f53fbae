"""Made-up results of a run, rich and poor: what figures and the page are drawn from."""

import numpy as np
import pandas as pd

from fhvae.report.figures.decoded import STEPS, Decoded, Move
from fhvae.report.figures.every import Drawn
from fhvae.report.figures.latent_maps import LatentMap
from fhvae.report.figures.learning_curve import PANELS
from fhvae.trials import ErrorCurve

LONG_NAMES = ["$\\frac{$", "speaker-with-a-very-long-name-00017", "s3", "s4", "s5", "_s6", "s7"]
REASON = "the corpus gives no times of phones and no transcripts of any utterance of its test split"


def rates(speakers: int) -> dict:
    return {"eer": 0.16, "eer_low": 0.1, "eer_high": 0.3, "speakers": speakers}


def drawn(metrics: dict, genders: list[str], points: np.ndarray | None) -> Drawn:
    random = np.random.default_rng(0)
    columns = [column for one in PANELS.values() for column in one]
    learning = pd.DataFrame(random.normal(size=(6, len(columns))), columns=columns)
    learning.insert(0, "epoch", np.arange(1, 7))
    rate = np.linspace(0, 1, 20)
    curves = {name: ErrorCurve(rate, rate, rate[::-1]) for name in ("mu2.cos", "ivector.plda")}
    maps = {name: LatentMap(name, points, LONG_NAMES, genders) for name in ("tsne_mu2", "tsne_z1")}
    moves = [Move("mu2", 31, 1.0), Move("z1", 95, 2.0)]
    decoded = Decoded(
        LONG_NAMES[:5],
        random.normal(size=(5, 4, 20)),
        random.normal(size=(5, 5, 4, 20)),
        moves,
        random.normal(size=(2, len(STEPS), 4, 20)),
        10.0,
    )
    bands = pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])
    return Drawn(learning, curves, bands, metrics, maps, decoded)


VERIFY = {
    "trials": {"target": 3, "nontarget": 12},
    "speakers": 4,
    "mu2": {"cos": rates(4)},
    "ivector": {"plda": rates(4)},
}
RICH_PROBE = {
    "phone": {"classes": 40, "chance": 0.03, "z1": {"accuracy": 0.6, "information": 0.5}},
    "speaker": {"speakers": 7, "chance": 0.1, "z1": {"accuracy": 0.2, "information": 0.1}},
    "f0": {"z1": {"r2": -29.45, "r2_low": -80.0, "r2_high": 21.0}},
}
PER = {"clean": {"clean": {"per": 0.3, "per_low": 0.2, "per_high": 0.4}}}
RICH = {
    "verify": VERIFY,
    "probe": RICH_PROBE,
    "recognize_baselines": {"per": {"fbank": PER}},
    "recognize": {"per": {"z1": PER}},
}
# No phones, no sexes; nothing but the pitch could be probed.
POOR = {
    "verify": VERIFY,
    "probe": {"absent": {"phone": REASON, "speaker": REASON}, "f0": RICH_PROBE["f0"]},
    "recognize_baselines": {"absent": {"per": REASON}},
    "recognize": {"absent": {"per": REASON}},
}
EMPTY = POOR | {"probe": {"absent": {"phone": REASON, "speaker": REASON}}}
CASES = {
    "rich": drawn(RICH, list("FMFMFMF"), np.random.default_rng(1).normal(size=(7, 2))),
    "poor": drawn(POOR, [""] * 7, np.random.default_rng(1).normal(size=(7, 2))),
    "empty": drawn(EMPTY, [""] * 7, None),
}
