"""Every intermediate can be made, from what is made before it."""

from __future__ import annotations

import pytest

from tidemill.calculators.table.build import ROWS
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.calculators.table.spec import load

GIVEN = {"values", "length", "times"}


@pytest.mark.parametrize("row", INTERMEDIATES.values(), ids=INTERMEDIATES)
def test_what_an_intermediate_names_is_there(row):
    assert bool(row.kernel or row.batch) != (row.name in GIVEN)
    for path in filter(None, (row.kernel, row.batch, row.shortcut[1])):
        assert load(path) is not None
    for path, dtypes in row.uses:
        assert load(path) is not None
        assert dtypes
    assert {*row.needs, *filter(None, row.shortcut[:1])} <= GIVEN | INTERMEDIATES.keys()


def test_needs_of_needs_are_given():
    """The order in which they are made looks one step back only."""
    for row in INTERMEDIATES.values():
        for need in set(row.needs) - GIVEN:
            assert set(INTERMEDIATES[need].needs) <= GIVEN, row.name


def test_every_intermediate_serves_a_calculator():
    asked = {need for row in ROWS for need in row.needs}
    inner = {need for row in INTERMEDIATES.values() if row.name in asked for need in row.needs}
    assert INTERMEDIATES.keys() <= asked | inner


def test_picked_elements_are_within_the_width():
    picked = [row for row in ROWS if row.element >= 0]
    assert picked
    for row in picked:
        assert row.element < max(INTERMEDIATES[row.needs[0]].width, 1), row.name
