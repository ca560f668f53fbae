"""What names a run: all that decides its course, and not how long it trains."""

import json
import random
import shutil
import zipfile

import pytest
import torch

from fhvae.errors import TrainingError
from fhvae.training import checkpoint
from fhvae.training.checkpoint import Checkpoint, course_of_run, fingerprint, labels_digest

CPU = torch.device("cpu")


def test_other_speakers_other_digest():
    assert labels_digest(["a", "b"]) == labels_digest(["a", "b"])
    assert labels_digest(["a", "b"]) != labels_digest(["b", "a"])


def test_fingerprint_covers_the_course_and_not_the_length(setting):
    def name(base, alpha=10.0, digest="d"):
        facts = {**vars(base), "alpha": alpha}
        return fingerprint(course_of_run(**facts, data_digests=[digest], device=CPU))

    base = setting()
    assert name(base) == name(setting(max_epochs=99, patience=3))
    others = [
        name(setting(seed=1)),
        name(base, alpha=0.0),
        name(base, digest="other frames"),
        name(setting(batch=16)),
        name(setting(mu2_table="random")),
        name(setting(cell="gru")),
    ]
    assert len({name(base), *others}) == 7
    assert name(base, alpha=10) == name(base)  # `-S alpha=10` writes an int


def test_the_code_is_part_of_the_course(setting, tmp_path, monkeypatch):
    facts = {**vars(setting()), "alpha": 10.0, "data_digests": ["d"], "device": CPU}
    package = shutil.copytree(checkpoint.PACKAGE, tmp_path / "fhvae")
    monkeypatch.setattr(checkpoint, "PACKAGE", package)
    names = [fingerprint(course_of_run(**facts))]
    for file in ("model/objective.py", "training/learner.py", "segments.py", "report/tables.py"):
        with (package / file).open("a") as code:
            code.write("# another line\n")
        names.append(fingerprint(course_of_run(**facts)))
    assert len(set(names[:4])) == 4
    assert names[4] == names[3]


def test_a_course_is_the_same_after_it_was_written(setting):
    """Or a run that was changed elsewhere would be said to differ in its lists, too."""
    facts = {**vars(setting()), "alpha": 10.0}
    course = course_of_run(**facts, data_digests=["d"], device=CPU)
    assert json.loads(json.dumps(course)) == course


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_damage_of_a_checkpoint_is_read_in_silence(tmp_path):
    """PyTorch looks at no checksum of what it reads: a flipped bit would be another weight."""
    kept = Checkpoint({"alpha": 10.0}, tmp_path)
    state = {"table": torch.arange(6000.0), "noise": torch.Generator().get_state(), "step": 7}
    kept.save(state)
    found = kept.load(CPU)
    assert found is not None
    assert found["step"] == 7
    assert torch.equal(found["table"], state["table"])
    whole = kept.path.read_bytes()
    draw = random.Random(0)
    damaged = [flipped(whole, draw.randrange(8 * len(whole))) for _ in range(50)]
    damaged += [whole[:4096] + bytes(4096) + whole[8192:], whole[:-1], whole + b"0", b""]
    for content in damaged:
        kept.path.write_bytes(content)
        with pytest.raises(
            TrainingError, match=r"last\.pt must be as it was written, .* delete the"
        ):
            kept.load(CPU)
    kept.path.write_bytes(whole)
    assert kept.load(CPU) is not None


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    kept = Checkpoint({"alpha": 10.0}, tmp_path)
    kept.folder.mkdir()
    torch.save({"run": kept.name}, kept.path)  # of before there were digests
    assert zipfile.is_zipfile(kept.path)
    with pytest.raises(TrainingError, match=r"last\.pt must be as it was written"):
        kept.load(CPU)
