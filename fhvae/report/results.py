"""Lay the metrics of many runs out as docs/results.md; no number is typed by hand.

The page holds what one cites first, then the headline of each corpus. Everything else is a table of
its own beside it, docs/results/<section>-<table>.csv.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhvae.cited import look_up
from fhvae.params.reading import read_yaml
from fhvae.report.at_a_glance import (
    RECOGNIZERS,
    VARIANCE,
    against,
    cited_first,
    overview,
    variance_rows,
)
from fhvae.report.headline import (
    CONTENT,
    CONTROL_COLUMNS,
    VERIFICATION,
    content_rows,
    control_rows,
    difference_rows,
    verification_rows,
)
from fhvae.report.published import PAPER, PAPER_NOTE
from fhvae.report.sequential import STATIC_DYNAMIC, static_dynamic_rows
from fhvae.report.tables import Runs, cell, part, read_runs, spread, with_figures

INTRODUCTION = """# Results

Written by `make results` from the metrics of whole pipeline runs in
`experiments/results/sweep/`; do not edit. Percentages, except costs and Cllr. Means over
seeds (standard deviation) [95 % interval over speakers and seeds: where one more training
would lie; of a single seed, over speakers alone]. The standard error over speakers is taken
from the width of each run's own interval. (<30): fewer than 30 target trials are missed at
this EER in some seed. "best supervised": the back-end with the lowest EER on dev, scored on
test. What the corpora can and cannot show: `docs/limits.md`; how the training was chosen:
`docs/levers.md`.

**To repeat a section**, delete its folder in `experiments/results/sweep/` (a run whose file is
there is skipped) and type, with the name of the folder:

```sh
python -m experiments.sweep run --corpus default
make results                  # this page, and the table of README.md
```

`--settings alpha10 --seeds 0` makes one run. Sections on recordings also need two folders, one of
speechocean762 (DIR below; 0.52 GB, downloaded into it where they are not there) and one of hand
labels, made of the sample of TIMIT that NLTK distributes:

```sh
pip install nltk && python -m nltk.downloader -d corpora timit
python -m experiments.timit_sample corpora/corpora/timit
mkdir -p corpora/speechocean762
python -m experiments.sweep run --corpus speechocean762 \\
  --data corpora/speechocean762 --hand-labels corpora/corpora/timit
```

The recorded runs read the same 108 speakers, in the same split, from a folder with
`manifest.csv`; the archive itself has not been read yet (`docs/limits.md`). No figure below is
from TIMIT's full corpus.
"""
PUBLISHED = (
    f"**The paper** has i-vector {PAPER['eer_ivector']}, mu2 at alpha 10 {PAPER['eer_mu2']}. "
    f"{PAPER_NOTE}"
)


def rows_of(runs: Runs, seeds: list[int], keys: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield one row per setting and quantity: cells per seed, then mean over seeds."""
    for place, (setting, by_seed) in enumerate(runs.items()):
        for name, key in keys.items():
            if place and BASELINE in key:
                continue  # no training in it: the same as in the first setting
            found = [look_up(by_seed.get(seed, {}), key) for seed in seeds]
            if all(value is None for value in found):
                continue
            cells = [
                cell({seed: by_seed[seed]}, key) if seed in by_seed else "not run" for seed in seeds
            ]
            known = [value for value in found if value is not None]
            yield [setting, name, *cells, spread(known)]


TRAINING_COLUMNS = [
    "setting",
    "dev bound (nats)",
    "best epoch",
    "steps",
    "dev KL z2",
    "variance of z2 means",
    "log q",
    "collapsed",
    "wall s",
]


def training_rows(runs: Runs, seeds: list[int]) -> Iterator[list[str]]:
    """Yield the course of training per setting: values over seeds, separated by commas."""
    columns: list[tuple[str, Callable[[Any], str]]] = [
        ("train.dev_lower_bound", lambda value: f"{value:.0f}"),
        ("train.best_epoch", str),
        ("train.steps", str),
        ("train.collapse.dev_kl_z2", lambda value: f"{value:.0f}"),
        ("train.collapse.z2_mean_variance", lambda value: f"{value:.1f}"),
        ("train.collapse.log_q", lambda value: f"{value:.1f}"),
        ("train.collapse.collapsed", lambda value: "yes" if value else "no"),
        ("wall_s", str),
    ]
    for setting, by_seed in runs.items():
        cells = []
        for key, show in columns:
            values = [look_up(by_seed[seed], key) for seed in seeds if seed in by_seed]
            cells.append(", ".join(show(value) for value in values if value is not None))
        yield [setting, *cells]


def claim_rows(runs: Runs, seeds: list[int]) -> Iterator[list[str]]:
    """Yield what the paper says of alpha and of the two latents, and in how many seeds it holds."""
    for suffix, kind in (("", "closed form"), ("-random", "random")):
        ten, zero = runs.get(f"alpha10{suffix}", {}), runs.get(f"alpha0{suffix}", {})
        both = [seed for seed in seeds if seed in ten and seed in zero]
        mu2, mu1 = "verify.mu2.cos.eer", "verify.mu1.cos.eer"
        claims = [
            ("EER of mu2: alpha 10 below alpha 0", both, ten, mu2, zero, mu2),
            ("EER of mu1: alpha 10 above alpha 0", both, zero, mu1, ten, mu1),
            ("phones: z1 better than z2 (alpha 10)", sorted(ten), ten, "probe.phone.z2.accuracy",
             ten, "probe.phone.z1.accuracy"),
            ("speakers: z2 better than z1 (alpha 10)", sorted(ten), ten,
             "probe.speaker.z1.accuracy", ten, "probe.speaker.z2.accuracy"),
        ]  # fmt: skip
        for name, chosen, small, small_key, large, large_key in claims:
            pairs = [
                (look_up(small[seed], small_key), look_up(large[seed], large_key))
                for seed in chosen
            ]
            known = [(a, b) for a, b in pairs if a is not None and b is not None]
            if known:
                yield [kind, name, f"{sum(a < b for a, b in known)} of {len(known)} seeds"]


@dataclass(frozen=True)
class Section:
    """What the page says of one section of the plan, and the tables beside it.

    Attributes:
        text: Markdown, without the links.
        tables: file name -> CSV.
    """

    text: str
    tables: Mapping[str, str]


def section(name: str, title: str, flags: list[str], runs: Runs, seeds: list[int]) -> Section:
    """Write the results of one corpus."""
    heads = [f"seed {seed}" for seed in seeds]
    first = next(iter(next(iter(runs.values())).values()))
    trials = look_up(first, "verify.trials") or {}
    typed = " ".join(f"-S {flag}" for flag in [*flags, "alpha=10", "seed=0"])
    absent = look_up(first, "probe.absent") or {}
    parts = [
        f"## {title}",
        f"`dvc exp run {typed}`, and so on; settings in `experiments/sweep.yaml`.",
        part(
            f"### Headline: speakers\n\n{look_up(first, 'verify.speakers')} test speakers, "
            f"{trials.get('target')} target and {trials.get('nontarget')} non-target trials (all "
            "pairs).",
            VERIFICATION,
            verification_rows(runs),
        ),
        part(
            "### Headline: content\n\nPhone error rate of the same small recognizer on each input "
            "(no language model), and the share of FBANK's loss under mismatch that an input "
            "recovers. The FHVAE saw both sexes and, unless a setting says so, no noise.",
            CONTENT,
            content_rows(runs),
        ),
        " ".join(f"No {name} probe: {reason}." for name, reason in absent.items()),
    ]  # fmt: skip
    tables = {
        "controls": (CONTROL_COLUMNS, control_rows(runs)),
        "differences": (DIFFERENCE_COLUMNS, difference_rows(runs)),
        "static-dynamic": (STATIC_DYNAMIC, static_dynamic_rows(runs)),
        "probes": (["setting", "figure", *heads, "mean (sd)"], rows_of(runs, seeds, PROBES)),
        "claims": (["table of mu2", "claim", "holds in"], claim_rows(runs, seeds)),
        "training": (TRAINING_COLUMNS, training_rows(runs, seeds)),
    }
    text = "\n\n".join(one.strip() for one in parts if one)
    return Section(text, as_csv(name, tables))


Tables = Mapping[str, tuple[Sequence[str], Iterable[Sequence[str]]]]


def as_csv(section_name: str, tables: Tables) -> dict[str, str]:
    """Write tables as CSV, by file name; none for one without a figure."""
    written = {}
    for name, (columns, rows) in tables.items():
        if found := with_figures(rows):
            file = io.StringIO()
            csv.writer(file, lineterminator="\n").writerows([columns, *found])
            written[f"{section_name}-{name}.csv"] = file.getvalue()
    return written


DIFFERENCE_COLUMNS = ["back-end", "difference", "points", "better", "in single seeds, by speakers"]


COMPARED = {
    "EER of mu2, cosine": "verify.mu2.cos.eer",
    "EER of mu2, LDA": "verify.mu2.lda.eer",
    "EER of the i-vector, cosine": "verify.ivector.cos.eer",
    "EER of mu2 minus the best baseline, cosine": "verify.difference.cos.mu2-baseline.eer",
    "EER of mu2, best supervised": "verify.mu2.best.eer",
    "EER of the i-vector, best supervised": "verify.ivector_supervised.best.eer",
    "EER of mu2 minus the best baseline, supervised": "verify.difference.best.mu2-baseline.eer",
    "EER of mu1, cosine": "verify.mu1.cos.eer",
    "phone from z1": "probe.phone.z1.accuracy",
    "speaker from z1": "probe.speaker.z1.accuracy",
    "phone from z1, hand labels": "hand_labels.phone.z1.accuracy",
    "phone from z2, hand labels": "hand_labels.phone.z2.accuracy",
}


def comparison(
    name: str, title: str, flags: list[str], runs: Runs, beside: Runs, seeds: list[int]
) -> Section:
    """Write a section in which settings stand beside the flat training of another section."""
    heads = [f"seed {seed}" for seed in seeds]
    everything = {"flat": beside["alpha10"], **runs}
    typed = " ".join(f"-S {flag}" for flag in [*flags, "alpha=10"])
    rows = rows_of(everything, seeds, COMPARED)
    by_figure = sorted(rows, key=lambda row: list(COMPARED).index(row[1]))
    parts = [
        f"## {title}",
        f"At equal steps; each run beside `dvc exp run {typed}`, settings in "
        "`experiments/sweep.yaml`.",
    ]
    columns = ["figure", "setting", *heads, "mean (sd)"]
    tables = {
        "figures": (columns, [[figure, own, *cells] for own, figure, *cells in by_figure]),
        "training": (TRAINING_COLUMNS, training_rows(everything, seeds)),
    }
    return Section("\n\n".join(parts), as_csv(name, tables))


PROBES = {
    **{
        f"{what} from {source}": f"probe.{what}.{source}.accuracy"
        for what in ("phone", "speaker", "sex")
        for source in ("fbank", "pca", "untrained", "z1", "z2")
    },
    "phone from z1, hidden layer": "probe.phone.z1.mlp.accuracy",
    "phone from pca, hidden layer": "probe.phone.pca.mlp.accuracy",
    **{
        f"phone, z1 minus {source}{title}": f"probe.phone.z1_minus.{kind}.{source}.accuracy"
        for kind, title in (("linear", ""), ("mlp", ", hidden layer"))
        for source in ("fbank", "pca", "untrained", "z2")
    },
    "SNR from z1 (R2)": "probe.snr.z1.r2",
    "SNR from z2 (R2)": "probe.snr.z2.r2",
    "log-F0 from mu2 (R2)": "probe.f0.mu2.r2",
    "content purity": "probe.purity.content",
    "speaker purity": "probe.purity.speaker",
    "leak of z1, EER": "leak.z1.eer",
    "leak of pca, EER": "leak.pca.eer",
    "leak of fbank, EER": "leak.fbank.eer",
    "hand labels, phone from z1": "hand_labels.phone.z1.accuracy",
    "hand labels, phone from pca": "hand_labels.phone.pca.accuracy",
    "hand labels, phone from fbank": "hand_labels.phone.fbank.accuracy",
    "hand labels, phone from untrained": "hand_labels.phone.untrained.accuracy",
    "hand labels, phone from z2": "hand_labels.phone.z2.accuracy",
    **{
        f"hand labels, four speakers that chose nothing, phone from {source}": (
            f"hand_labels.phone.{source}.others.accuracy"
        )
        for source in ("fbank", "pca", "z1")
    },
    **{
        f"hand labels, z1 minus {source}": f"hand_labels.phone.z1_minus.{source}.accuracy"
        for source in ("fbank", "pca", "untrained", "z2")
    },
}
BASELINE = ".fbank."


def made_at(runs: Runs) -> str:
    """Name the commits that runs were made at."""
    commits = sorted({run["commit"][:7] for by_seed in runs.values() for run in by_seed.values()})
    return f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}"


BESIDE = """## Beside this page

- `controls`: mu2 with parts of the input removed, of untrained networks, PCA. `differences`:
  paired, the same speakers left out of both; better only where the interval excludes 0.
- `probes`: what a linear probe reads from each code, and the leak of a code: the EER on test of the
  attacker that is best on dev. `claims`: the paper's, counted over seeds, point estimates.
- `static-dynamic`: the running table of papers on sequential disentanglement, by their rule
  (`eer_fa`); published rows are of other corpora, without interval, of trainings stopped on test.
- `training`: its course; wall time with one to three other jobs on 2 shared cores.
"""


def results_page(results: Path, plan: Path, folder: str = "results") -> tuple[str, dict[str, str]]:
    """Write docs/results.md from all result files that are there.

    Args:
        results: folder of the runs, one below it per section.
        plan: experiments/sweep.yaml.
        folder: of the tables, as the page links them.

    Returns:
        The page, and the CSV tables by file name.
    """
    content = read_yaml(plan)
    seeds = content.pop("seeds")
    paired = against(results)
    beaten = f"### What FHVAE is better at, and what not\n\n{paired}" if paired else ""
    variance = part("### Where the variance comes from", VARIANCE, variance_rows(results))
    parts = [
        f"{INTRODUCTION}\n{PUBLISHED}",
        cited_first(results),
        beaten,
        overview(results),
        variance,
    ]
    links = []
    tables: dict[str, str] = {}
    for corpus, setting in content.items():
        runs = read_runs(results / corpus)
        if not runs or corpus == RECOGNIZERS:
            continue
        ordered = {name: runs[name] for name in setting["runs"] if name in runs}
        title, flags = setting["title"], setting.get("flags", [])
        ran = {seed for by_seed in ordered.values() for seed in by_seed}
        own = [seed for seed in setting.get("seeds", seeds) if seed in ran]
        if "beside" in setting:
            flat = read_runs(results / setting["beside"])
            found = comparison(corpus, title, flags, ordered, flat, own)
        else:
            found = section(corpus, title, flags, ordered, own)
        if setting.get("on_page", True):
            parts.append(found.text)
        else:
            headline = {
                "speakers": (VERIFICATION, verification_rows(ordered)),
                "content": (CONTENT, content_rows(ordered)),
            }
            found = Section("", {**as_csv(corpus, headline), **found.tables})
        tables |= found.tables
        names = ", ".join(
            f"[{name.removeprefix(f'{corpus}-').removesuffix('.csv')}]({folder}/{name})"
            for name in found.tables
        )
        links.append(f"- {title} ({made_at(runs)}): {names}")
    parts.append(BESIDE + "\n" + "\n".join(links) + "\n")
    return "\n\n".join(one.strip() for one in parts if one) + "\n", tables
