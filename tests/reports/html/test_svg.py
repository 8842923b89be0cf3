"""Drawings are where their numbers say, whatever the numbers are."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.reports.html.svg import Scale, area, bar, boxes, columns, drawing, hovers, line

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def numbers(markup: str) -> list[float]:
    (path,) = re.findall(r' d="([^"]*)"', markup)
    return [float(one) for one in re.findall(r"-?\d[\d.]*(?:e-?\d+)?", path)]


@given(st.lists(st.none() | FLOATS, max_size=70))
def test_a_line_stays_in_its_drawing(values):
    scale = Scale.over(values)
    found = numbers(line(values, scale))
    assert all(0 <= one <= 100 for one in found)
    assert all(math.isfinite(one) for one in found)


@given(st.lists(st.none() | FLOATS, max_size=70))
def test_a_line_is_broken_where_there_is_no_value(values):
    gaps = sum(1 for before, after in zip([None, *values], values, strict=False)
               if before is None and after is not None)  # fmt: skip
    assert line(values, Scale(0.0, 1.0)).count("M") == gaps


def test_the_highest_value_is_at_the_top_and_the_lowest_at_the_bottom():
    scale = Scale.over([1.0, 5.0, 3.0])
    assert scale.at(5.0) < scale.at(3.0) < scale.at(1.0)
    assert scale.at(3.0) == 50


def test_a_band_alone_has_some_width():
    drawn = area([1.0, None], [2.0, None], Scale(0.0, 3.0))
    assert "M0.3 " in drawn
    assert "L0.7 " in drawn


def test_columns_stand_on_others():
    drawn = columns([1.0, 2.0], 4.0, "missing", below=[2.0, None])
    assert drawn == (
        '<path d="M0.12 25h0.76V50h-0.76zM1.12 50h0.76V100h-0.76z" class="missing"></path>'
    )


@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_nothing_has_no_column(value):
    assert 'd=""' in columns([value], 1.0, "rows")


def test_a_slot_without_a_link_leads_nowhere():
    drawn = hovers(["a", "b <"], [None, "b.html"])
    assert drawn.count("<a ") == 1
    assert "b &lt;" in drawn


def test_an_empty_drawing_has_a_size():
    assert 'viewBox="0 0 1 100"' in drawing("Nothing", 0, boxes([], "gap"), class_="plot")


def test_a_bar_says_nothing_of_its_own():
    assert 'aria-hidden="true"' in bar(0.5)
