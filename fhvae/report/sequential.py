"""The running table of sequential disentanglement: static EER / dynamic EER / gap.

Our rows stand by the field's rule (`eer_fa`, `fhvae/verification/static_dynamic.py`) and by our own
EER; below them, marked, what papers print of other systems on their own corpora. Theirs have no
interval, were chosen on test and are not measured here.

Source: DiffSDA, arXiv:2510.05717, table 4.
"""

from collections.abc import Iterator

from fhvae.report.tables import Runs, cell

# As printed: percent, of the static and of the dynamic code.
PUBLISHED = (
    ("TIMIT", "DSVAE", 5.64, 19.20),
    ("TIMIT", "SPYL", 3.41, 33.22),
    ("TIMIT", "DBSE", 3.50, 34.62),
    ("TIMIT", "DiffSDA", 4.43, 46.72),
    ("LibriSpeech", "DSVAE", 15.06, 28.94),
    ("LibriSpeech", "SPYL", 24.87, 49.76),
    ("LibriSpeech", "DBSE", 16.75, 22.61),
    ("LibriSpeech", "DiffSDA", 11.02, 45.94),
)
SETTINGS = {"alpha0": "FHVAE, alpha 0", "alpha10": "FHVAE, alpha 10", "alpha30": "FHVAE, alpha 30"}
STATIC_DYNAMIC = ["system", "rule", "static", "dynamic", "gap", "phones from the dynamic code"]
# How our rows are named, whose dynamic code and gap they show, and by which rule.
OWN = {
    "eer_fa, z1 a sample": ("dynamic_sample", "gap_sample", "eer_fa"),
    "eer_fa, z1 its mean": ("dynamic", "gap", "eer_fa"),
    "EER, z1 its mean": ("dynamic", "gap", "eer"),
}


def static_dynamic_rows(runs: Runs) -> Iterator[list[str]]:
    """Yield our rows and, where there is one, the published ones."""
    found = False
    for setting, title in SETTINGS.items():
        own = runs.get(setting, {})
        for name, (dynamic, gap, rule) in OWN.items():
            keys = (f"verify.static_dynamic.{code}.{rule}" for code in ("static", dynamic, gap))
            cells = [cell(own, key) for key in keys]
            if cells[0] != "-":
                found = True
                yield [title, name, *cells, cell(own, "probe.phone.z1.accuracy")]
    if found:
        yield from published_rows()


def published_rows() -> Iterator[list[str]]:
    """Yield what others print, in percent."""
    for corpus, system, static, dynamic in PUBLISHED:
        rates = [f"{rate:.1f}" for rate in (static, dynamic, dynamic - static)]
        yield [f"published, not ours: {system}, {corpus}", "eer_fa", *rates, "-"]
