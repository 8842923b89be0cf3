"""The table has one row for each calculator, and each is complete."""

from __future__ import annotations

from collections import Counter

import pytest

from tidemill.calculators.table.build import LEFT_OUT, ROWS
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.calculators.table.spec import load


def test_names_are_unique():
    names = Counter(row.name for row in ROWS)
    assert max(names.values()) == 1
    assert not names.keys() & set(LEFT_OUT)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_names_what_is_there(row):
    assert bool(row.kernel) != (row.element >= 0)
    for path in filter(None, (row.kernel, row.exact, row.tables)):
        assert load(path) is not None
    assert set(row.needs) <= {"values", *INTERMEDIATES}
    assert not row.lags or row.lags in {parameter.name for parameter in row.parameters}
    assert row.summary.endswith(".")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_grid_is_allowed_and_without_repetitions(row):
    checked = [repr(row.check(params)) for params in row.grid]
    assert len(set(checked)) == len(checked) > 0
