"""Damaged files between stages: what is read is valid, or one sentence says what is wrong.

A few examples of each format run with all tests, always the same ones. `make fuzz` reads many:
FHVAE_FUZZ is how many of all formats together, FHVAE_FUZZ_SEED where they begin.
"""

import functools
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from fhvae.errors import FhvaeError
from tests.fuzz.damage import SEED, WANTED, Damage, check_sentence, damages, drawn
from tests.fuzz.formats import FORMATS, write_run
from tests.tiny import ROOT

# What a stage reads of another, and the formats that stand for it.
READ = {
    "data/recordings": ("manifest", "labels", "samples", "conditions"),
    "data/corpus": ("manifest", "labels", "samples", "conditions"),
    "data/fbank": ("frames", "sharded", "normalizer"),
    "data/domains_train": ("frames",),
    "data/domains_topline": ("frames",),
    "data/domains_test": ("frames",),
    "data/f0": ("f0",),
    "data/baselines/pca": ("pca",),
    "data/baselines/untrained": ("model",),
    "data/baselines/untrained_latents": ("latents",),
    "data/controls": ("latents",),
    "data/latents": ("latents",),
    "data/ivectors": ("ivectors",),
    "data/scores": ("scores",),
    "data/recognition_baselines": ("edits",),
    "data/convert": ("sounds",),
    "data/figures": ("svg",),
    "models/fhvae": ("model",),
    "metrics": ("metrics", "summary", "page", "figures", "notes"),
    "plots": ("learning_curve", "bands"),
}


def test_whatever_a_stage_reads_of_another_is_damaged_here():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    deps = {Path(dep) for stage in stages for dep in stage["deps"]}
    read = {dep for dep in deps if dep.parts[0] not in ("fhvae", "stages")}
    read = {dep.parent if dep.suffix else dep for dep in read}
    assert {str(path) for path in read} == set(READ)
    assert {name for names in READ.values() for name in names} == set(FORMATS) - {"log", "pipeline"}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


whole = functools.cache(Path.read_bytes)


def read_damaged(folder: Path, name: str, file: str, steps: Sequence[Damage]) -> bool:
    """Damage a file, read it, and put it right again; tell whether it was refused."""
    path = folder / file
    content = before = whole(path)
    others = [whole(folder / other) for other in FORMATS[name].files if other != file]
    for step in steps:
        content = step.done_to(content, others or [whole(folder / "f0/dev.npy")])
    path.write_bytes(content)
    try:
        FORMATS[name].read(folder)
        return False
    except FhvaeError as error:
        check_sentence(error)
        return True
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_whole_is_read(run_folder, name):
    FORMATS[name].read(run_folder)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_damaged_is_read_or_refused_in_words(run_folder, name):
    @hypothesis.settings(
        max_examples=25, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(file=st.sampled_from(FORMATS[name].files), steps=damages())
    def read(file, steps):
        read_damaged(run_folder, name, file, steps)

    read()


@pytest.mark.skipif(not WANTED, reason="`make fuzz`, or FHVAE_FUZZ=<examples>")
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("name", FORMATS)
def test_many(run_folder, name, capsys):
    """Go on after a failure: each place that raises is told once, with how to come there again."""
    random, files = Random(f"{SEED} {name}"), FORMATS[name].files
    shares = sum(one.share for one in FORMATS.values())
    examples, refused = int(WANTED * FORMATS[name].share / shares) + 1, 0
    places: Counter[str] = Counter()
    first: dict[str, str] = {}
    for _ in range(examples):
        file, steps = random.choice(files), drawn(random)
        try:
            refused += read_damaged(run_folder, name, file, steps)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} at {last.filename}:{last.lineno}"
            places[place] += 1
            how = "".join(traceback.format_tb(error.__traceback__)[-4:])
            first.setdefault(place, f"{file} {steps!r:.600}\n{how}{error!r:.300}")
    with capsys.disabled():
        print(
            f"{name}: {examples} read, seed {SEED}, {refused} refused, {places.total()} failed",
            flush=True,
        )
    told = [f"{places[place]} x {place}: {how}" for place, how in first.items()]
    assert not told, "\n\n".join(told)
