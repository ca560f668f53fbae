"""What the page asks of metrics: where it needs a table, a number or a word."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fhvae.errors import ArtifactError
from fhvae.files.metrics import Metrics, read_metrics
from fhvae.report.run_page.facts import SPLITS
from fhvae.report.run_page.gallery import CODES, FACTORS
from fhvae.report.run_page.weak import VECTORS

STAGES = (  # whose metrics are looked through
    *("download", "conditions", "fbank", "domains", "f0", "baselines", "train", "latents"),
    *("controls", "ivector", "verify", "probe", "recognize_baselines", "recognize", "convert"),
)
EVERY = "*"  # name of a table
ENDS = ("", "_low", "_high")  # a value and its interval
RATES = ("recognize.per", "recognize_baselines.per")
SHAPE: Mapping[str, tuple[type | tuple[type, ...], tuple[str, ...]]] = {  # of what is there at all
    "a table": (
        Mapping,
        (
            *(f"{stage}.absent" for stage in STAGES),
            *(f"download.{split}.genders" for split in SPLITS),
            *(f"verify.{vector}" for vector in VECTORS),
            *(f"probe.{factor}.{code}" for factor in FACTORS for code in CODES),
            *(f"{rates}.*.*" for rates in RATES),
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
            *(f"verify.*.*.{name}" for name in ("mindcf_p01", "cllr")),
            *(f"verify.*.*.eer{end}" for end in ENDS),
            *(f"verify.static_dynamic.*.eer_fa{end}" for end in ENDS),
            *(f"verify.difference.*.*.eer{end}" for end in ENDS),
            *(f"probe.{factor}.chance" for factor in FACTORS),
            *(f"probe.{factor}.*.{name}" for factor in FACTORS for name in ("information", "r2")),
            *(f"probe.{factor}.*.accuracy{end}" for factor in FACTORS for end in ENDS),
            *(f"probe.phone.z1_minus.*.*.accuracy{end}" for end in ENDS),
            *(f"recognize.gap.*.*.*.gain{end}" for end in ENDS),
            *(f"{rates}.*.*.*.per" for rates in RATES),
        ),
    ),
    "a word": (str, ("verify.difference.*.*.better",)),
}


def read_all(folder: Path) -> dict[str, Metrics]:
    """Read the metrics of every stage, by its name.

    Raises:
        ArtifactError: a file is missing or no JSON, or a value is null or of another kind than
            the page needs there.
    """
    found = {stage: read_metrics(folder / f"{stage}.json") for stage in STAGES}
    for kind, (types, keys) in SHAPE.items():
        for key in keys:
            stage, *names = key.split(".")
            for name, value in _held(found[stage], names, walked=kind == "a table"):
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
