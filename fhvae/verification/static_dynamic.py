"""The running table of sequential disentanglement: static EER, dynamic EER, and the gap.

Papers on factorized sequences print how well speakers are told by the code of what stays (static:
low is good) and by the code of what changes (dynamic: high is good). Here these are z2 and z1. The
rule is that of the code of DBSE: codes averaged over an utterance, every two utterances compared
by cosine, and `eer_fa`, the false alarms where they meet the misses. Their dynamic code is a
sample of its posterior; ours is given both as its mean and as a sample.

What differs: their chunks are 3,200 samples (200 ms) end to end, the last one filled up with
zeros; ours are the segments of the latents (`segment_frames` by `latents.shift`), a tail that does
not fill one is left. They sample the static code too, and draw a dynamic code for each frame.

Source: github.com/azencot-group/DBSE, commit ac0c5f6, audio/train_and_eval_timit.py.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fhvae.intervals import rate_interval, t_interval
from fhvae.latents import Latents
from fhvae.seeds import generator
from fhvae.trials import Trials, Vectors, equal_error_rate, error_curve, rank_trials
from fhvae.verification.backends import Backend, by_cosine, score_trials
from fhvae.verification.error_rates import false_alarms_at_crossing
from fhvae.verification.resampling import leave_one_out_eer
from fhvae.verification.scores import as_written
from fhvae.verification.vectors import segment_means

RULES = {"eer_fa": false_alarms_at_crossing, "eer": equal_error_rate}
STATIC = "static"
GAPS = {"gap": "dynamic", "gap_sample": "dynamic_sample"}  # minus the static code


def utterance_codes(latents: Latents, random: np.random.Generator) -> dict[str, Vectors]:
    """Average the codes of each utterance, by name.

    Args:
        latents: of one split.
        random: of the sample.

    Returns:
        static: posterior means of z2.
        dynamic: posterior means of z1.
        dynamic_sample: one sample of each segment's z1.
    """
    noise = random.normal(size=latents.z1_mean.shape)
    sample = latents.z1_mean + np.exp(0.5 * latents.z1_log_variance.astype(np.float64)) * noise
    codes = {STATIC: latents.z2_mean, "dynamic": latents.z1_mean, "dynamic_sample": sample}
    ids = latents.utterance_ids
    return {name: Vectors(ids, segment_means(latents, code)) for name, code in codes.items()}


def static_dynamic(latents: Latents, trials: Trials, seed: int) -> dict[str, Any]:
    """Lay out both error rates of each code and the gaps, and how long a segment is.

    Args:
        latents: of the test split.
        trials: all pairs of its utterances.
        seed: of the run.

    Raises:
        TrialError: a code has no direction; the message names the utterance.
    """
    codes = utterance_codes(latents, generator(seed, "verification", "sample of z1"))
    return {**compare_codes(codes, trials), "segment_frames": latents.segment_frames}


def compare_codes(codes: Mapping[str, Vectors], trials: Trials) -> dict[str, dict[str, float]]:
    """Compute both error rates of each code and the gaps, with intervals over speakers.

    A gap is paired: both codes do without the same speaker.
    """
    values: dict[str, dict[str, float]] = {}
    left_out: dict[str, dict[str, np.ndarray]] = {}
    targets = int(trials.is_target.sum())
    found: dict[str, dict[str, float]] = {}
    for name, vectors in codes.items():
        cosine = Backend(lambda same: same, by_cosine, vectors.values.shape[1])
        scores = as_written(score_trials(cosine, vectors, trials))
        ranked = rank_trials(scores, trials.is_target)
        curve = error_curve(ranked)
        values[name] = {rule: float(read(curve)) for rule, read in RULES.items()}
        left_out[name] = {
            rule: leave_one_out_eer(trials, ranked, read) for rule, read in RULES.items()
        }
        found[name] = {}
        for rule, value in values[name].items():
            found[name] |= rate_interval(value, left_out[name][rule], targets).metrics(rule)
    for gap, code in GAPS.items():
        found[gap] = {}
        for rule in RULES:
            value = values[code][rule] - values[STATIC][rule]
            without = left_out[code][rule] - left_out[STATIC][rule]
            found[gap] |= t_interval(value, without).metrics(rule)
    return found
