"""The Vega-Lite templates of `dvc plots`, filled with the committed tables as DVC fills them."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from dvc_render import VegaRenderer

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / ".dvc/plots"
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
TABLES = {
    path: options
    for stage in PIPELINE["stages"].values()
    for item in stage.get("plots", [])
    for path, options in item.items()
    if path.endswith(".csv")
}


def fill(path: str, revisions: tuple[str, ...] = ("HEAD", "workspace")) -> dict:
    """Fill the template of a table, its rows once for each revision."""
    with (ROOT / path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    points = [{**row, "rev": name} for name in revisions for row in rows]
    options = {key: value for key, value in TABLES[path].items() if key != "cache"}
    sources = [{"filename": path, "field": options["y"]}]
    properties = {**options, "anchors_y_definitions": sources, "revs_with_datapoints": revisions}
    renderer = VegaRenderer(points, path, template_dir=str(TEMPLATES), **properties)
    return renderer.get_filled_template()


def fields(tree: object) -> set[str]:
    """Name every field that a figure encodes, sorts or groups by."""
    if isinstance(tree, list):
        return set().union(*map(fields, tree))
    if not isinstance(tree, dict):
        return set()
    own = {tree["field"]} if isinstance(tree.get("field"), str) else set()
    inner = {key: value for key, value in tree.items() if key != "values"}
    return own.union(tree.get("groupby", []), *map(fields, inner.values()))


def computed(figure: dict) -> set[str]:
    steps = figure.get("transform", [])
    return {step["as"] for step in steps if "as" in step} | {
        made["as"] for step in steps for made in step.get("window", [])
    }


@pytest.mark.parametrize("path", TABLES)
def test_every_table_has_a_template_of_the_project_that_fits_it(path):
    assert (TEMPLATES / f"{TABLES[path]['template']}.json").is_file()
    figure = fill(path)
    assert "<DVC_METRIC_" not in json.dumps(figure)
    columns = {"rev", *figure["data"]["values"][0]}
    assert fields(figure) - columns - computed(figure) == set()
    assert TABLES[path]["title"] in json.dumps(figure["title"])


@pytest.mark.parametrize("path", TABLES)
def test_revisions_are_told_apart(path):
    assert "rev" in fields(fill(path))


def test_figures_of_several_columns_name_columns_that_are_there():
    for item in PIPELINE["plots"]:
        (figure,) = item.values()
        assert (TEMPLATES / f"{figure['template']}.json").is_file()
        for path, columns in figure["y"].items():
            header = (ROOT / path).read_text().splitlines()[0].split(",")
            assert {figure["x"], *columns} <= set(header)
