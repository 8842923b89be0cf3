"""The catalogue lists every calculator once, custom ones too, in text, JSON and Markdown."""

from __future__ import annotations

import json
import re

import pytest

from tidemill.calculators import calculator
from tidemill.calculators.registry import CALCULATORS
from tidemill.calculators.table.build import LEFT_OUT, ROWS
from tidemill.calculators.table.spec import Parameter
from tidemill.reports import catalogue as module
from tidemill.reports.catalogue import catalogue, catalogue_page, catalogue_text


def test_json_holds_every_calculator_in_the_order_of_the_matrix():
    rows = catalogue()
    assert [row["name"] for row in rows] == list(CALCULATORS)
    assert json.loads(json.dumps(rows)) == rows
    assert {row["name"]: row["combinations"] for row in rows} == {
        row.name: len(row.grid) for row in CALCULATORS.values()
    }


def test_text_has_an_aligned_line_per_calculator():
    title, *lines = catalogue_text().splitlines()
    starts = [title.index(name) for name in ("presets", "summary")]
    assert len(lines) == len(CALCULATORS)
    for line, row in zip(lines, CALCULATORS.values(), strict=True):
        assert line.split()[:2] == [row.name, str(len(row.grid))]
        overhang = max(len(row.name) - 40, 0)  # of the few names longer than their column
        shifted = line[overhang:]
        assert shifted[starts[0] : starts[1]].strip() == ", ".join(sorted(row.presets))
        assert shifted[starts[1] :] == row.summary


def test_a_custom_calculator_is_listed_and_not_on_the_page(own_calculators):
    before = catalogue_page()

    @calculator
    def threshold(values, level: float = 1.0):
        """Largest value above a level."""
        return float(values.max())

    (row,) = (row for row in catalogue() if row["name"] == "threshold")
    assert row["parameters"] == ["level"]
    assert (row["definition"], row["unit"]) == ("", ""), "only known of those in the table"
    assert any(line.startswith("threshold ") for line in catalogue_text().splitlines())
    assert catalogue_page() == before


def test_the_page_has_a_section_and_a_link_for_each_row():
    page = catalogue_page()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == [row.name for row in ROWS]
    linked = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \| (\d+) \|", page, re.MULTILINE)
    assert linked == [
        (row.name, row.name, str(len(row.grid) if "comprehensive" in row.presets else 0))
        for row in ROWS
    ]
    assert f"These {len(ROWS)} calculators" in page
    assert all(f"`{name}`" in page for name in LEFT_OUT)


def test_calculators_of_timestamps_explain_that_no_preset_has_them():
    page = catalogue_page()
    section = page.split("## linear_trend_timewise\n")[1].split("\n## ")[0]
    assert f"- Presets: {module.NO_PRESET}" in section


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [
        (Parameter("q", "float", minimum=0, maximum=1), "number from 0 to 1"),
        (Parameter("lag", "int", minimum=1), "whole number from 1"),
        (Parameter("level", "float"), "number"),
        (
            Parameter("on", "bool", default=True, required=False),
            "true or false; `True` if left out",
        ),
        (
            Parameter("f", "str", choices=("mean", None), required=False),
            '`"mean"`, `None`; none if left out',
        ),
    ],
)
def test_ranges_of_parameters(parameter, shown):
    assert module._range(parameter) == shown
