"""The command `fhvae`: voices and latents of audio files, and files with another voice.

Every command takes files, globs or folders. A file that cannot be used is named with the reason,
the others are done, and the exit code is then 2.
"""

import csv
import json
import logging
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from inspect import cleandoc
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from fhvae.commandline import EXIT_BAD_INPUT, run, sentence_of
from fhvae.errors import ArtifactError, CorpusError, FhvaeError, one_line
from fhvae.files.atomic import LOCKED_S, quoting_of, remove_leftovers
from fhvae.params.conversion import ConversionParams
from fhvae.pretrained import SHIPPED, Model, audio_files, load
from fhvae.progress import progress_bar
from fhvae.recording import Audio, check_apart, check_outputs
from fhvae.tables import check_row_name, check_table_name, shown_name, write_vectors

log = logging.getLogger(__name__)
Result = TypeVar("Result")
DEFAULT = ConversionParams()
MAGIC = set("*?[")  # of a glob that the shell left alone


class Failures:
    """Files that could not be used; the others go on."""

    def __init__(self) -> None:
        self.count = 0

    def each(
        self, files: Sequence[Path], label: str, use: Callable[[Path], Result]
    ) -> Iterator[tuple[Path, Result]]:
        """Walk over (file, result) of the files that can be used; name the others."""
        bar = progress_bar(files, label, "file", shown=len(files) > 1)
        for path in bar:
            try:
                result = use(path)
            except (FhvaeError, OSError) as error:
                self.count += 1
                bar.clear()
                told = error if isinstance(error, FhvaeError) else sentence_of(error)
                print(f"error: {one_line(str(told))}", file=sys.stderr)
                continue
            yield path, result

    def exit(self) -> None:
        """End with exit code 2 if there was one."""
        if self.count:
            sys.exit(EXIT_BAD_INPUT)


def found_files(names: Sequence[str]) -> list[Path]:
    """List files, the matches of globs, and the audio files in folders; each once, in order.

    A name that is not there stays in the list: whoever opens it says so.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if not name:
            raise CorpusError(
                "a file, glob or folder must have a name, one of those given is empty"
            )
        if path.is_dir():
            found += audio_files(path)
        elif not path.exists() and set(name) & MAGIC:
            matches = _matches(path)
            if not matches:
                raise CorpusError(f"{name} must match a file, it matches none")
            found += matches
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _matches(pattern: Path) -> list[Path]:
    """List what matches; `glob` itself passes over a folder that may not be read.

    Raises:
        CorpusError: it is no glob.
        OSError: a folder on the way may not be read.
    """
    top, parts = Path(pattern.anchor or "."), pattern.relative_to(pattern.anchor).parts
    try:
        for end in (end for end, part in enumerate(parts) if end and set(part) & MAGIC):
            for folder in filter(Path.is_dir, top.glob(str(Path(*parts[:end])))):
                with suppress(FileNotFoundError):  # gone meanwhile
                    os.scandir(folder).close()
        return sorted(top.glob(str(Path(*parts))))
    except ValueError as error:  # ** beside letters
        raise CorpusError(f"{pattern} must be a glob, it is none ({error}): use **/*") from error


def in_table(use: Callable[[Path], Result]) -> Callable[[Path], Result]:
    """Refuse a file whose name no table can hold before it is used."""

    def checked(path: Path) -> Result:
        check_row_name(str(path))
        return use(path)

    return checked


def _to_table(options: Namespace) -> list[Path]:
    """List the files that become rows; the table is written over none of them, nor a model."""
    check_table_name(options.out)
    files = found_files(options.audio)
    if options.out is not None:
        check_apart([options.out], [*files, *(options.model or SHIPPED).glob("*")])
    return files


def embed(options: Namespace) -> None:
    """Write mu2, the voice, one row per file."""
    model, failures = load(options.model, options.mu2), Failures()
    files = _to_table(options)
    rows = dict(failures.each(files, "embed", in_table(model.embed)))
    if rows:
        names = [str(path) for path in rows]
        write_vectors(options.out, names, {"mu2": np.stack(list(rows.values()))})
    failures.exit()


def latents(options: Namespace) -> None:
    """Write z1 and z2, one row per segment, with its time."""
    model, failures = load(options.model), Failures()
    files = _to_table(options)
    found = list(failures.each(files, "latents", in_table(model.encode)))
    if found:
        names = [str(path) for path, one in found for _ in one.times_s]
        rows = {
            name: np.concatenate([getattr(one, name) for _, one in found]) for name in ("z1", "z2")
        }
        times = np.concatenate([one.times_s for _, one in found])
        write_vectors(options.out, names, rows, times)
    failures.exit()


def score(options: Namespace) -> None:
    """Print how like the voice of each file is to that of the first."""
    model, failures = load(options.model, options.mu2), Failures()
    enrolled = model.embed(found_files([options.enrolment]))  # once: a bad one ends it
    tests = found_files(options.test)

    def compare(path: Path) -> float:
        return model.compare(enrolled, model.embed(path), (options.enrolment, str(path)))

    unit = "cosine" if model.trained.calibration is None else "log_likelihood_ratio"
    quoting = quoting_of(pd.DataFrame({"file": list(map(str, tests))}))
    table = csv.writer(sys.stdout, lineterminator="\n", quoting=quoting)
    table.writerow(("file", unit))
    for path, value in failures.each(tests, "score", in_table(compare)):
        table.writerow((shown_name(str(path)), Decimal(f"{value:.4f}")))
    failures.exit()


def convert(options: Namespace) -> None:
    """Say what the files say with another voice.

    The pitch moves to that of the voice wanted, and each spectrum by what frames of that voice that
    say alike have more; more recordings of it (--to) give more frames to choose from.
    """
    model = load(options.model)
    targets = found_files(options.to)
    settings = {"strength": options.strength, "pitch": not options.keep_pitch}
    if options.out is None:
        voice, source = targets[0].stem, found_files(options.audio)[0].stem
        several = _are_several(options)
        options.out = Path(f"as-{voice}" if several else f"{source}-as-{voice}.wav")

    def use(source: Path, out: Path) -> None:
        model.convert(source, targets, to=out, **settings)

    outputs = _outputs(options, targets)
    model.embed(targets)  # a bad one ends it here, once
    _change_files(outputs, "convert", use)


def denoise(options: Namespace) -> None:
    """Move noisy recordings towards clean speech."""
    model = load(options.model)
    clean = found_files(options.clean) if options.clean else None

    def use(source: Path, out: Path) -> None:
        model.denoise(source, clean=clean, to=out, strength=options.strength)

    outputs = _outputs(options, clean or [])
    if clean:
        model.embed(clean)  # a bad one ends it here, once
    _change_files(outputs, "denoise", use)


def swap(options: Namespace) -> None:
    """Decode z1 of one file with z2 of another (Griffin-Lim: for looking into the model)."""
    check_outputs([options.out], [Path(options.content), Path(options.voice)])
    audio = load(options.model).swap(options.content, options.voice)
    _within_full_scale(audio).write(options.out)


def _within_full_scale(audio: Audio) -> Audio:
    peak = float(np.abs(audio.samples).max())
    return Audio(audio.samples / np.float32(max(1.0, peak)), audio.rate_hz)


def _outputs(options: Namespace, others: Sequence[Path]) -> dict[Path, Path]:
    """Name what each file becomes: one a file, several files of a folder, by their own names.

    None is written over a source or one of the others that are read.
    """
    sources = found_files(options.audio)
    several = _are_several(options) or not options.out.suffix
    if several:
        outs = [options.out / f"{path.stem}.wav" for path in sources]
        twice = [out for out in outs if outs.count(out) > 1]
        if twice:
            raise CorpusError(
                f"each file must have a name of its own, {twice[0]} would be written twice; "
                "convert the folders one by one"
            )
    else:
        outs = [options.out]
    check_outputs(outs, [*sources, *others])
    _remove_leftovers(outs)
    return dict(zip(sources, outs, strict=True))


def _change_files(
    outputs: Mapping[Path, Path], label: str, use: Callable[[Path, Path], None]
) -> None:
    failures = Failures()
    for source, _ in failures.each(list(outputs), label, lambda one: use(one, outputs[one])):
        log.info("%s -> %s", source, outputs[source])
    failures.exit()


def _are_several(options: Namespace) -> bool:
    return len(found_files(options.audio)) > 1 or Path(options.audio[0]).is_dir()


def info(options: Namespace) -> None:
    """Say what a model is and where it comes from."""
    model = load(options.model)
    for name, value in _facts(model).items():
        print(f"{name:12} {one_line(value)}")  # of strangers, perhaps


def _facts(model: Model) -> dict[str, str]:
    trained, sizes, origin = model.trained, model.trained.network.params, model.trained.origin
    count = sum(weight.numel() for weight in trained.network.parameters())
    unknown = "not recorded"
    return {
        "corpus": origin.corpus or unknown,
        "data": origin.data or unknown,
        "licence": origin.licence or unknown,
        "commit": origin.commit or unknown,
        "alpha": unknown if origin.alpha is None else f"{origin.alpha:g}",
        "seed": unknown if origin.seed is None else str(origin.seed),
        "networks": f"{sizes.cell}, {sizes.layers} x {sizes.cells}, {count} weights",
        "latents": f"z1 {sizes.z1}, z2 and mu2 {sizes.z2} dimensions",
        "segments": f"{trained.segments.frames} frames of {trained.fbank.hop_ms:g} ms, "
        f"every {trained.segments.shift} for mu2",
        "features": f"{trained.fbank.mels} log-mel bands, 16 kHz",
        "scores": "cosine" if trained.calibration is None else "log-likelihood ratio, nats",
        "denoising": "towards the training data, or --clean"
        if trained.clean_mu2 is not None
        else "needs --clean",
    }


def train(options: Namespace) -> None:
    """Train a model on a folder of recordings.

    Speakers are its sub-folders, where there are at least four; or it has a manifest.csv. The
    quick profile takes 1200 steps; a killed run goes on when the same command is typed again.
    """
    from fhvae.own.run import train_on
    from fhvae.own.settings import quick

    settings = quick(options.epochs, options.seed, options.start)
    found = train_on(options.folder, options.out, settings)
    counted = ", ".join(f"{split} {count}" for split, count in found.utterances.items())
    print(f"{'utterances':12} {counted}; left out {found.left_out}")
    best, steps = found.run.best, found.run.curve[-1].step
    print(f"{'steps':12} {steps}, the best on dev after {best.step}")
    print(f"{'dev bound':12} {best.dev.lower_bound:.1f} nats per segment")
    for split, eer in found.eer_mu2.items():
        print(f"{split + ' EER':12} {eer:.1%}, mu2 by cosine")
    if not found.knows_speakers:
        print(f"{'EER':12} not known, it needs the speakers: a sub-folder for each, four at least")
    if best.collapsed:
        print(f"{'warning':12} the model looks collapsed: {best.collapsed}")
    print(f"{'model':12} {one_line(str(options.out))}")


def doctor(options: Namespace) -> None:
    """Say what a report of a bug needs to say of this machine.

    Versions, processor, memory, GPU, disk, DVC's cache, settings; no host, user or home folder.
    """
    from fhvae.doctor import examine, told

    found = examine()
    print(json.dumps(found, indent=2) if options.json else "\n".join(told(found)))


def parser() -> ArgumentParser:
    """Build the command line."""
    top = ArgumentParser(prog="fhvae", description=_first_sentence(__doc__))
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(use: Callable[[Namespace], None], *examples: str) -> ArgumentParser:
        name = use.__name__
        lines = "\n".join(f"  fhvae {name} {example}".rstrip() for example in examples)
        made = commands.add_parser(
            name,
            help=_first_sentence(use.__doc__),
            description=cleandoc(use.__doc__ or ""),
            epilog=f"examples:\n{lines}",
            formatter_class=RawDescriptionHelpFormatter,
        )
        made.set_defaults(use=use)
        return made

    def using(use: Callable[[Namespace], None], *examples: str) -> ArgumentParser:
        made = command(use, *examples)
        made.add_argument("--model", type=_path, metavar="FOLDER", help="default: the shipped one")
        return made

    made = using(embed, "a.wav", "recordings/ -o voices.csv", "'*.flac' -o voices.npz")
    _add_audio(made)
    _add_table(made)
    _add_rule(made)
    made = using(latents, "a.wav -o latents.csv", "recordings/ -o latents.safetensors")
    _add_audio(made)
    _add_table(made)
    made = using(score, "a.wav b.wav", "enrolment/ tests/")
    made.add_argument("enrolment", help="a file, or a folder or glob of one speaker's files")
    made.add_argument("test", nargs="+", help="files, globs or folders, compared one by one")
    _add_rule(made)
    made = using(convert, "a.wav --to b.wav", "talks/ --to voice/ -o converted --strength 1.5")
    _add_audio(made)
    made.add_argument("--to", nargs="+", required=True, help="recordings of the voice wanted")
    _add_change(made, "; default: a-as-b.wav, or the folder as-b")
    made.add_argument("--keep-pitch", action="store_true", help="leave the pitch as it is")
    made = using(denoise, "noisy.wav -o clean.wav", "noisy/ --clean good.wav -o cleaned")
    _add_audio(made)
    made.add_argument("--clean", nargs="+", help="clean recordings of the same speaker")
    _add_change(made)
    made = using(swap, "a.wav --voice b.wav -o a-b.wav")
    made.add_argument("content", help="whose z1 is taken: what is said")
    made.add_argument("--voice", required=True, help="whose z2 is taken")
    made.add_argument("-o", "--out", type=_path, required=True, help="wav or flac file, 16 kHz")
    using(info, "", "--model models/fhvae")
    made = command(train, "recordings/ -o mine", "recordings/ -o mine --from --epochs 8")
    made.add_argument("folder", type=_path, help="of audio files, with a sub-folder per speaker")
    text = "folder of the model to write"
    made.add_argument("-o", "--out", type=_path, required=True, metavar="MODEL", help=text)
    text = "go on from a model, without a name from the shipped one"
    made.add_argument(
        "--from", dest="start", type=_path, nargs="?", const=SHIPPED, metavar="MODEL", help=text
    )
    text = "of 300 steps, at most; default: 4"
    made.add_argument("--epochs", type=_above_zero, metavar="N", help=text)
    text = "of weights and batches; default: 0"
    made.add_argument("--seed", type=int, metavar="N", help=text)
    made = command(doctor, "", "--json")
    made.add_argument("--json", action="store_true", help="for programs")
    return top


def _above_zero(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _path(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("must be a name, got an empty one")
    return Path(text)


def _first_sentence(text: str | None) -> str:
    return (text or "").splitlines()[0]


def _add_audio(made: ArgumentParser) -> None:
    made.add_argument("audio", nargs="+", help="files, globs or folders")


def _add_table(made: ArgumentParser) -> None:
    text = "csv, npz or safetensors file; default: CSV on the terminal"
    made.add_argument("-o", "--out", type=_path, metavar="FILE", help=text)


def _add_rule(made: ArgumentParser) -> None:
    text = "how segments weigh in mu2; default: mean"
    made.add_argument("--mu2", choices=("mean", "precision"), default="mean", help=text)


def _add_change(made: ArgumentParser, default: str = "") -> None:
    text = f"wav or flac file, or a folder for several; rate and channels stay{default}"
    made.add_argument("-o", "--out", type=_path, required=not default, help=text)
    text = f"how far the voice goes, 0: not at all; default: {DEFAULT.strength:g}"
    made.add_argument("--strength", type=float, default=DEFAULT.strength, help=text)


def main() -> None:
    """Run the command."""
    import torch

    options = parser().parse_args()
    if sys.stdout is not None and sys.stdout.errors == "strict":  # a name beyond its encoding
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    torch.set_num_threads(1)  # small networks: more threads wait for each other
    run(lambda: do(options), makes_figures=False)


def do(options: Namespace) -> None:
    """Do what was typed; first goes what a killed command left half-written beside its output.

    Raises:
        ArtifactError: it would be shown, and there is nowhere to.
    """
    if sys.stdout is None and options.use in (score, info, doctor):
        raise ArtifactError("standard output must be open, it is closed; redirect it")
    if sys.stdout is None and options.use in (embed, latents) and options.out is None:
        raise ArtifactError(
            "standard output must be open, it is closed; redirect it, or name a file (-o)"
        )
    if out := getattr(options, "out", None):
        _remove_leftovers([out])
    options.use(options)


def _remove_leftovers(outs: Sequence[Path]) -> None:
    for folder in {out.parent for out in outs}:
        names = [out.name for out in outs if out.parent == folder]
        remove_leftovers(folder, *names, older_s=LOCKED_S)


if __name__ == "__main__":
    main()
