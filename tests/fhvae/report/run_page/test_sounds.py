"""Sounds of the page: the right words beside each, a picture of what is heard, a limit of room."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from fhvae.corpus.store import Corpus
from fhvae.errors import ArtifactError
from fhvae.listening.summary import write_flac
from fhvae.report.run_page import sounds
from fhvae.report.run_page.kept import kept_utterances
from fhvae.report.run_page.sounds import album, spectrogram
from tests.latent_factory import make_utterances
from tests.report_factory import RATE_HZ, SAID, SECONDS, tone, write_sounds


def brightness(png: bytes) -> np.ndarray:
    """Read a picture as `[row, column]`, the first row on top."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)


@pytest.mark.parametrize(("hz", "row"), [(2000, 96), (6000, 32)])
def test_a_tone_is_a_bright_line_at_its_frequency(hz, row):
    """129 rows from 8 kHz on top to 0 Hz: 62.5 Hz a row, so 2 kHz is row 128 - 32."""
    picture = brightness(spectrogram(tone(hz) / 32768, RATE_HZ))
    assert picture.shape == (129, (int(SECONDS * RATE_HZ) - 256) // 160 + 1)
    assert set(picture[:, 3:-3].argmax(axis=0)) == {row}


@pytest.mark.parametrize("samples", [np.zeros(4000), np.zeros(10)], ids=["silence", "short"])
def test_silence_and_a_click_have_a_picture(samples):
    assert brightness(spectrogram(samples, RATE_HZ)).shape[0] == 129


def corpus_of(tmp_path, text: str) -> Corpus:
    from dataclasses import replace

    utterances = make_utterances("test", 3, 2)
    named = [
        replace(one, utterance_id=f"u{n}", text=f"{text} {n}") for n, one in enumerate(utterances)
    ]
    return Corpus(tmp_path, tuple(named))


def test_a_sound_is_the_file_with_what_was_measured(tmp_path):
    write_sounds(tmp_path / "sounds")
    found = album(tmp_path / "sounds", corpus_of(tmp_path, SAID))
    first, second = found.examples
    assert [one.label for one in first.main] == ["source", "by FHVAE", "target"]
    assert [one.label for one in first.controls] == ["pitch and a fixed equalizer"]
    assert [one.label for one in second.main] == ["noisy", "by FHVAE", "clean"]
    assert second.title == "test0 in noise at 5 dB"
    content = base64.b64decode(first.main[1].audio.removeprefix("data:audio/flac;base64,"))
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert (rate, first.main[1].duration_s) == (RATE_HZ, SECONDS)
    np.testing.assert_array_equal(samples, tone(1000))
    assert first.main[0].measured == "LSD 1.2 dB"
    assert second.main[0].measured == "SI-SDR -3.5 dB"
    assert found.left_out == []


def test_controls_yield_first_where_there_is_no_room(tmp_path, monkeypatch):
    write_sounds(tmp_path / "sounds")
    whole = album(tmp_path / "sounds", corpus_of(tmp_path, ""))
    mains = [one for example in whole.examples for one in example.main]
    room = sum(len(one.audio) + len(one.spectrogram) for one in mains)
    monkeypatch.setattr(sounds, "MOST_LETTERS", room)
    small = album(tmp_path / "sounds", corpus_of(tmp_path, ""))
    assert [one.main for one in small.examples] == [one.main for one in whole.examples]
    assert small.left_out == ["convert-1-equalizer.flac", "noise5-1-noisereduce.flac"]


def test_files_are_of_the_utterance_that_the_stage_meant(tmp_path):
    """Conversions in the order of their table; denoisings of the first ids, in that order, too."""
    names = ["u3", "u1", "u0", "u2"]
    rows = [
        {"utterance_id": one, "source": "s", "target": "t", "method": "source"} for one in names
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "conversion.csv", index=False)
    pd.DataFrame([{"domain": "noise0", **row, "method": "noisy"} for row in rows]).to_csv(
        tmp_path / "denoising.csv", index=False
    )
    for number in (1, 2):
        write_flac(tmp_path / f"convert-{number}-source.flac", tone(500))
        write_flac(tmp_path / f"noise0-{number}-noisy.flac", tone(500))
    found = [(one.kind, one.any_row["utterance_id"]) for one in kept_utterances(tmp_path)]
    assert found == [("convert", "u3"), ("convert", "u1"), ("noise0", "u1"), ("noise0", "u0")]


def test_a_folder_without_sounds_gives_none(tmp_path):
    assert album(tmp_path, corpus_of(tmp_path, "")).examples == []


def test_names_in_a_heading_are_isolated_and_stay_text(tmp_path):
    write_sounds(tmp_path / "sounds")
    first, second = album(tmp_path / "sounds", corpus_of(tmp_path, "")).examples
    assert first.heading.startswith("<bdi>test0</bdi> with the voice of <bdi>&lt;script&gt;")
    assert second.heading == "<bdi>test0</bdi> in noise at <bdi>5</bdi> dB"


def broken(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "convert-1-source.flac").write_bytes(content)


def no_sample(folder: Path) -> None:
    path = folder / "convert-1-source.flac"  # libsndfile writes no FLAC without a sample
    soundfile.write(path, tone(500)[:0], RATE_HZ, format="WAV")


def without_its_blocks(folder: Path) -> None:
    path = folder / "convert-1-source.flac"
    whole = path.read_bytes()
    path.write_bytes(whole[:50] + whole[58:])  # the comment of a FLAC now reaches into its sound


def beyond(folder: Path) -> None:
    write_flac(folder / "convert-7-source.flac", tone(500))


def table(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "conversion.csv").write_text(text)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (broken(b""), r"convert-1-source\.flac must be a FLAC file, .*"),
        (broken(b"fLaC and no more"), r"convert-1-source\.flac must be a FLAC file, .*"),
        (
            no_sample,
            r"convert-1-source\.flac must be a FLAC file .* found WAV .* 0 samples",
        ),
        (without_its_blocks, r"convert-1-source\.flac must be whole, it promises \d+ .* holds 0"),
        (beyond, "files of convert must be numbered from 1 to 1, .*, got 7"),
        (table(""), r"conversion\.csv must have a header line, it is empty"),
        (table("utterance_id\nu\n"), r"conversion\.csv: column source must be there once, .*"),
        (lambda folder: (folder / "conversion.csv").unlink(), r"conversion\.csv must exist"),
    ],
)
def test_a_broken_sound_or_table_is_named(tmp_path, spoil, said):
    folder = tmp_path / "sounds"
    write_sounds(folder)
    spoil(folder)
    with pytest.raises(ArtifactError, match=f"{said}; rerun the stage convert$"):
        album(folder, corpus_of(tmp_path, ""))
