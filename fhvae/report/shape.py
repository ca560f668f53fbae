"""What figures and the page ask of metrics: where they need a table, a number or a word."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fhvae.errors import ArtifactError
from fhvae.files.metrics import Metrics, read_metrics

STAGES = (  # whose metrics are looked through
    *("download", "conditions", "fbank", "domains", "f0", "baselines", "train", "latents"),
    *("controls", "ivector", "verify", "probe", "recognize_baselines", "recognize", "convert"),
)
SPLITS = ("train", "dev", "test", "common", "parallel")  # in the order of a run
# Whose error rates are looked through; controls of mu2 and codes that hold z1 are none of them.
VECTORS = ("mu2", "mu1", "ivector", "ivector_supervised", "fbank", "pca", "untrained")
CODES = ("fbank", "pca", "untrained", "z1", "z2", "mu2")
FACTORS = ("phone", "speaker", "sex", "snr", "f0", "sentence")
RATES = ("recognize.per", "recognize_baselines.per")
ENDS = ("", "_low", "_high")  # a value and its interval
EVERY = "*"  # name of a table
SHAPE: Mapping[str, tuple[type | tuple[type, ...], tuple[str, ...]]] = {  # of what is there at all
    "a table": (
        Mapping,
        (
            *(f"{stage}.absent" for stage in STAGES),
            *(f"download.{split}.genders" for split in SPLITS),
            *(f"verify.{vector}.*" for vector in VECTORS),
            "verify.trials",
            *(f"probe.{factor}.{code}" for factor in FACTORS for code in CODES),
            *(f"{rates}.*.*.*" for rates in RATES),
            *("verify.difference.*.*", "probe.phone.z1_minus.*.*", "recognize.gap.*.*.*"),
            *("convert.conversion.difference.*", "convert.denoising.*.difference.*"),
        ),
    ),
    "a number": (
        (int, float),
        (
            *(f"download.{split}.{name}" for split in SPLITS for name in ("speakers", "hours")),
            *(f"download.{split}.{name}" for split in SPLITS for name in ("utterances", "phones")),
            *("train.sequences", "train.segments", "train.steps"),
            *("train.collapse.dev_kl_z2", "train.collapse.certain_share"),
            *("verify.speakers", "verify.trials.target", "verify.trials.nontarget"),
            *(f"verify.*.*.{name}" for name in ("mindcf_p01", "cllr")),
            *(f"verify.*.*.eer{end}" for end in ENDS),
            *(f"verify.static_dynamic.*.eer_fa{end}" for end in ENDS),
            *(f"verify.difference.*.*.eer{end}" for end in ENDS),
            *(f"probe.{factor}.chance" for factor in FACTORS),
            *(f"probe.{factor}.*.information{end}" for factor in FACTORS for end in ENDS),
            *(f"probe.{factor}.*.r2{end}" for factor in FACTORS for end in ENDS),
            *(f"probe.{factor}.*.accuracy{end}" for factor in FACTORS for end in ENDS),
            *(f"probe.phone.z1_minus.*.*.accuracy{end}" for end in ENDS),
            *(f"recognize.gap.*.*.*.gain{end}" for end in ENDS),
            *(f"{rates}.*.*.*.per{end}" for rates in RATES for end in ENDS),
        ),
    ),
    "a word": (
        str,
        ("verify.difference.*.*.better", *(f"{stage}.absent.*" for stage in STAGES)),
    ),
}


def read_shaped(folder: Path, stages: Iterable[str] = STAGES) -> dict[str, Metrics]:
    """Read the metrics of stages, by name.

    Args:
        folder: of all metrics.
        stages: some of `STAGES`.

    Raises:
        ArtifactError: a file is missing or no JSON, or a value is null or of another kind than
            is asked for there.
    """
    found = {stage: read_metrics(folder / f"{stage}.json") for stage in stages}
    for kind, (types, keys) in SHAPE.items():
        for key in keys:
            stage, *names = key.split(".")
            for name, value in _held(found.get(stage, {}), names, walked=kind == "a table"):
                if not isinstance(value, types):
                    raise ArtifactError(
                        f"{folder / stage}.json: {name} must be {kind}, found {value!r:.40}; rerun "
                        f"the stage {stage}"
                    )
    return found


def _held(
    found: Any, names: Sequence[str], *, walked: bool, key: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield what is at the end of a path, and where it is walked along on the way, by whole key."""
    if key and (walked or not names):
        yield key, found
    if names and isinstance(found, Mapping):
        for name in found if names[0] == EVERY else names[:1]:
            if name in found:
                own = f"{key}.{name}".lstrip(".")
                yield from _held(found[name], names[1:], walked=walked, key=own)
