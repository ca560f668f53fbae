"""What judges are asked, with judges whose answers are known."""

import numpy as np
import pytest

from fhvae.listening import verdicts
from fhvae.listening.verdicts import Asked

SIGNALS = {"own": np.array([1.0, 0.0, 0.0]), "other": np.array([0.0, 1.0, 0.0])}


@pytest.fixture
def known_judges(monkeypatch):
    """Voices are the signals themselves; phones and words are told by the loudest sample."""
    heard = {0: ("a", "b", "c"), 1: ("a", "c")}

    def judge(name):
        if name.startswith("voice"):
            return lambda signal: signal / max(np.linalg.norm(signal), 1e-9)
        if name == "naturalness":
            return lambda signal: float(np.abs(signal).max())
        return lambda signal: heard[int(np.argmax(signal))]

    monkeypatch.setattr(verdicts, "_judge", judge)
    absent = {"voice_dvector": "not installed"}
    monkeypatch.setattr(verdicts.judges, "why_absent", absent.get)


def ask(outputs, text="A b, d!"):
    own, other = SIGNALS["own"], SIGNALS["other"]
    return verdicts.verdicts(outputs, Asked(3 * own, text, [own, own], [other]))


def test_each_judge_that_is_installed_is_asked(known_judges):
    found = ask(SIGNALS)
    level = 3.0  # that of the source
    assert found["own"] == {
        "voice_resemblyzer": 0.0,
        "nearer_resemblyzer": 0.0,
        "naturalness": pytest.approx(level),
        "phone_edits": 0.0,
        "phones": 3.0,
        "word_edits": 1.0,
        "words": 3.0,
    }
    assert found["other"]["voice_resemblyzer"] == pytest.approx(1.0)
    assert found["other"]["nearer_resemblyzer"] == 1.0
    assert found["other"]["phone_edits"] == 1.0
    assert found["other"]["word_edits"] == 2.0
    assert found["other"]["naturalness"] == pytest.approx(level)


def test_without_a_text_there_are_no_word_errors(known_judges):
    assert "words" not in ask(SIGNALS, text="")["own"]


def test_silence_is_judged_too(known_judges):
    assert ask({"nothing": np.zeros(3)})["nothing"]["naturalness"] == 0.0
