"""Published corpora in small: tones in the publisher's layout, packed, and served.

voices = tone_voices(folder, 6)                  # six speakers, two takes each
write_librispeech(folder / "LibriSpeech", {"dev-clean-2": voices})
archive = served(server, librispeech.PARTS["dev-clean-2"].archive, tar_of(folder / "LibriSpeech"))
"""

import hashlib
import io
import json
import runpy
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from fhvae.corpus.recipes.published import Archive
from fhvae.fetch.remote import RemoteFile
from tests.hostile_server import Answer, HostileServer
from tests.tiny import ROOT, set_params
from tests.tones import RATE_HZ, write_tone_corpus


@dataclass(frozen=True)
class Voice:
    """A speaker of tones: gender, takes `[sample]` int16, and the phones of each take."""

    gender: str
    takes: tuple[np.ndarray, ...]
    phones: tuple[pd.DataFrame, ...]


def tone_voices(folder: Path, speakers: int, takes: int = 2) -> list[Voice]:
    """Make voices; speakers with even numbers are M."""
    write_tone_corpus(folder, {"train": speakers}, utterances=takes, seconds=0.2)
    manifest = pd.read_csv(folder / "manifest.csv")
    phones = pd.read_csv(folder / "phones.csv")
    return [
        Voice(
            rows.gender.iloc[0],
            tuple(soundfile.read(folder / path, dtype="int16")[0] for path in rows.path),
            tuple(phones[phones.utterance_id == name] for name in rows.utterance_id),
        )
        for _, rows in manifest.groupby("speaker")
    ]


def write_audio(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "FLAC" if path.suffix == ".flac" else "WAV"
    soundfile.write(path, samples, rate_hz, subtype="PCM_16", format=kind)


def write_librispeech(top: Path, parts: Mapping[str, Mapping[str, Voice]]) -> Path:
    """Write parts, each a map from speaker id to voice; every take is a chapter of its own."""
    lines = [
        "; Some pipe(|) separated metadata about all LibriSpeech speakers",
        ";ID  |SEX| SUBSET",
    ]
    for part, voices in parts.items():
        for speaker, voice in voices.items():
            lines.append(f"{speaker:4} | {voice.gender} | {part} | 25.03 | |CBW|Simon")
            for chapter, samples in enumerate(voice.takes, start=100):
                session = f"{speaker}-{chapter}"
                folder = top / part / speaker / str(chapter)
                write_audio(folder / f"{session}-0000.flac", samples)
                (folder / f"{session}.trans.txt").write_text(f"{session}-0000 GOOD MORNING\n")
    (top / "SPEAKERS.TXT").write_text("\n".join(lines) + "\n")
    return top


def write_speechocean762(top: Path, halves: Mapping[str, Mapping[str, tuple[int, Voice]]]) -> Path:
    """Write train and test, each a map from speaker id to age and voice; take 0 is `0000`."""
    words = []
    for half, speakers in halves.items():
        tables: dict[str, list[str]] = {
            name: [] for name in ("wav.scp", "utt2spk", "text", "spk2gender", "spk2age")
        }
        for speaker, (age, voice) in speakers.items():
            tables["spk2gender"].append(f"{speaker}\t{voice.gender.lower()}")
            tables["spk2age"].append(f"{speaker}\t{age}")
            for take, samples in enumerate(voice.takes):
                name = f"{speaker}{take:05d}"
                path = f"WAVE/SPEAKER{speaker}/{name}.WAV"
                write_audio(top / path, samples)
                tables["wav.scp"].append(f"{name}\t{path}")
                tables["utt2spk"].append(f"{name}\t{speaker}")
                tables["text"].append(f"{name}\tWE CALL")
                words += [f"{name}.1\tK_B AO0_I L_E", f"{name}.0\tW_B IY0_E"]
        for table, lines in tables.items():
            (top / half).mkdir(exist_ok=True)
            (top / half / table).write_text("\n".join(lines) + "\n")
    (top / "resource").mkdir()
    (top / "resource/text-phone").write_text("\n".join(words) + "\n")
    return top


def write_vctk(top: Path, voices: Mapping[str, tuple[str, Voice]]) -> Path:
    """Write speakers by id, with what speaker-info.txt says after the gender; mic2 is softer."""
    lines = ["ID  AGE  GENDER  ACCENTS  REGION COMMENTS "]
    for speaker, (accent, voice) in voices.items():
        lines.append(f"{speaker}  23  {voice.gender}    {accent}")
        for number, samples in enumerate(voice.takes, start=1):
            name = f"{speaker}_{number:03d}"
            folder = top / "wav48_silence_trimmed" / speaker
            write_audio(folder / f"{name}_mic1.flac", np.repeat(samples, 3), 48_000)
            write_audio(folder / f"{name}_mic2.flac", np.repeat(samples // 4, 3), 48_000)
            text = top / "txt" / speaker / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("Please call Stella.\n")
    (top / "wav48_silence_trimmed/log.txt").write_text("what was trimmed\n")
    (top / "speaker-info.txt").write_text("\n".join(lines) + "\n")
    return top


def tar_of(folder: Path) -> bytes:
    """Pack a folder with its name, as OpenSLR does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        tar.add(folder, folder.name)
    return packed.getvalue()


def zip_of(folder: Path) -> bytes:
    """Pack what is in a folder, without its name, as DataShare does."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
    return packed.getvalue()


def served(server: HostileServer, archive: Archive, content: bytes, *first: Answer) -> Archive:
    """Serve an archive; give its entry in the catalogue, with this content's checksum."""
    name = archive.remote.name
    url = server.serve(f"/{name}", content, *first)
    digest = hashlib.sha256(content).hexdigest()
    return replace(archive, remote=RemoteFile(name, (url,), size=len(content), sha256=digest))


def run_download(monkeypatch: Any, folder: Path, changes: Mapping[str, object]) -> dict[str, Any]:
    """Run the stage download in a folder; give its metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    set_params(folder / "params.yaml", dict(changes))
    options = ["--corpus", "data/corpus", "--metrics", "metrics/download.json"]
    monkeypatch.setattr(sys, "argv", ["download", *options])
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FHVAE_WORKERS", "1")
    # not imported: other tests run the script as `python -m` does
    runpy.run_module("stages.download", run_name="loaded")["main"]()
    return json.loads((folder / "metrics/download.json").read_text())


def numbered(voices: Sequence[Voice], *names: str) -> dict[str, Voice]:
    """Give voices their names."""
    return dict(zip(names, voices, strict=True))
