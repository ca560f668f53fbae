"""The stage report, whole, and its page in a browser: from disk, on a desk and on a phone."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from fhvae.errors import ArtifactError
from fhvae.report.shape import STAGES
from stages.report import main
from tests.report_factory import HOSTILE, SAID, SECONDS, write_run
from tests.stages.stage_runner import PARAMS
from tests.tiny import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}
MOST_BYTES = 15_000_000
TABS = 60  # presses until every kind of control was met
# The contrast that WCAG 2.1 asks of text.
LEAST_CONTRAST = 4.5


def make_page(folder: Path, paths: dict[str, Path]) -> Path:
    folder.mkdir()
    shutil.copy(PARAMS, folder)
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["report", *options, "--report", str(folder / "report")])
        patch.chdir(folder)
        main()
    return folder / "report/index.html"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> dict[str, Path]:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(run, tmp_path_factory) -> Path:
    return make_page(tmp_path_factory.mktemp("page") / "once", run)


def test_equal_runs_give_equal_bytes_and_name_no_place(run, page, tmp_path):
    again = make_page(tmp_path / "again", run)
    assert page.read_bytes() == again.read_bytes()
    assert len(page.read_bytes()) < MOST_BYTES
    text = page.read_text(encoding="utf-8")
    places = (str(run["corpus"].parent), str(ROOT), str(Path.home()), "/tmp/")
    assert [place for place in places if place in text] == []
    assert {file.name for file in page.parent.iterdir()} == {"index.html", "SHA256SUMS"}


def test_a_figure_that_is_missing_is_named(run, tmp_path):
    shutil.copytree(run["figures"], tmp_path / "figures")
    (tmp_path / "figures/det.svg").unlink()
    with pytest.raises(ArtifactError, match=r"det\.svg must exist; rerun the stage figures"):
        make_page(tmp_path / "page", run | {"figures": tmp_path / "figures"})


def test_the_stage_reads_the_metrics_of_every_stage():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    read = {path for path in stages["report"]["deps"] if path.startswith("metrics/")}
    assert read == {f"metrics/{name}.json" for name in (*STAGES, "summary", "summary_intervals")}
    assert set(STAGES) == set(stages) - {"summary", "figures", "report"}


def test_every_param_is_printed_but_paths(page):
    text = page.read_text(encoding="utf-8")
    values = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    assert '<th scope="row">training.batch</th>' in text
    assert f'<td class="number">{values["training"]["batch"]}</td>' in text
    assert "corpus.path" not in text


# The page forbids scripts, so that a test may only wait inside of one call.
SOUNDS_ARE_THERE = """() => Promise.all([...document.querySelectorAll('audio')].map(
  one => one.readyState >= 1 || new Promise((done, fail) => {
    one.onloadedmetadata = done;
    one.onerror = () => fail(one.error.message);
  })))"""
PLAYED = """() => new Promise((done, fail) => {
  const one = document.querySelector('audio');
  one.muted = true;
  one.onended = () => done(one.currentTime);
  one.play().catch(fail);
})"""


@pytest.fixture
def show(browser, page) -> Iterator[Callable]:
    contexts = []

    def opened(size: str = "desk", scheme: str = "light"):
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.said, tab.asked = [], []
        tab.on("console", lambda message: tab.said.append(message.text))
        tab.on("pageerror", lambda error: tab.said.append(str(error)))
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(page.as_uri())
        tab.evaluate(SOUNDS_ARE_THERE)
        return tab

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_says_nothing_asks_for_nothing_and_fits(show, size, scheme):
    tab = show(size, scheme)
    assert tab.said == []
    others = [url for url in tab.asked if not url.startswith(("file:", "data:"))]
    assert others == []
    width = tab.evaluate("document.documentElement.scrollWidth")
    assert width <= SIZES[size]["width"]
    shown = {"desk": ("wide", "narrow"), "phone": ("narrow", "wide")}[size]
    assert tab.locator(f".{shown[0]} svg").first.is_visible()
    assert not tab.locator(f".{shown[1]} svg").first.is_visible()


def test_every_sound_has_its_length_and_one_plays(show):
    tab = show()
    lengths = tab.evaluate("[...document.querySelectorAll('audio')].map(one => one.duration)")
    assert lengths == pytest.approx([SECONDS] * 8, abs=0.001)
    assert tab.evaluate(PLAYED) == pytest.approx(SECONDS, abs=0.05)


def test_a_name_with_markup_and_a_formula_stays_text(show):
    tab = show()
    assert tab.title() == "FHVAE on espeak, alpha 10"
    assert tab.locator("script").count() == 0
    assert HOSTILE not in tab.content()
    titles = tab.locator("h3").all_inner_texts()
    assert f"test0 with the voice of {HOSTILE}" in titles
    assert SAID in tab.locator(".said").first.inner_text()


def test_links_lead_somewhere(show):
    tab = show()
    targets = tab.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert len(targets) > 5
    lost = [one for one in targets if not one.startswith("#") or not tab.locator(one).count()]
    assert lost == []
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_what_is_seen_is_also_said(show):
    tab = show()
    silent = tab.evaluate(
        """[...document.querySelectorAll('img, svg, audio')].filter(one =>
            !(one.getAttribute('alt') || one.getAttribute('aria-label'))).length"""
    )
    assert silent == 0
    assert (
        tab.get_by_role("img", name=re.compile("^DET curves of .* Equal error rates")).count() == 1
    )
    assert tab.get_by_role("img", name=re.compile("^Spectrogram, by FHVAE, test0")).count() == 2
    levels = [
        int(one)
        for one in tab.evaluate(
            "[...document.querySelectorAll('h1, h2, h3, h4')].map(one => one.tagName[1])"
        )
    ]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert tab.get_by_role("main").count() == tab.get_by_role("navigation").count() == 1
    headless = "[...document.querySelectorAll('table')].filter(one => !one.caption).length"
    assert tab.evaluate(headless) == 0


def test_the_keyboard_reaches_sounds_tables_and_folds(show):
    tab, met = show(), set()
    for _ in range(TABS):
        tab.keyboard.press("Tab")
        met.add(tab.evaluate("document.activeElement.tagName"))
    assert {"A", "DIV", "SUMMARY", "AUDIO"} <= met


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_ground(show, scheme):
    tab = show("desk", scheme)
    for one in ("body", ".lead", "thead th", "figcaption", "nav a", "summary", ".sound small"):
        found = tab.locator(one).first.evaluate(CONTRAST)
        assert found >= LEAST_CONTRAST, (one, found)


# Relative luminance of the text and of the first opaque ground behind it (WCAG 2.1).
CONTRAST = """element => {
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(value => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element;
  while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
    behind = behind.parentElement;
  }
  const both = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
  const [high, low] = both.map(light).sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}"""


def test_paper_has_tables_and_no_buttons(show):
    tab = show("desk", "dark")
    tab.emulate_media(media="print")
    assert not tab.locator("audio").first.is_visible()
    assert not tab.locator("nav").is_visible()
    assert tab.locator(".wide svg").first.is_visible()
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    folded = tab.locator("#det details table").first
    assert folded.bounding_box()["height"] > 0
