"""What names a run: all that decides its course, and not how long it trains."""

import json

import torch

from fhvae.training.checkpoint import course_of_run, fingerprint, labels_digest

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


def test_a_course_is_the_same_after_it_was_written(setting):
    """Or a run that was changed elsewhere would be said to differ in its lists, too."""
    facts = {**vars(setting()), "alpha": 10.0}
    course = course_of_run(**facts, data_digests=["d"], device=CPU)
    assert json.loads(json.dumps(course)) == course
