"""Rows of the table: names, order and grids are those of tsfresh's comprehensive settings."""

from __future__ import annotations

import pytest
from tsfresh.feature_extraction.settings import ComprehensiveFCParameters

from tidemill.calculators.table.rows_second import SECOND
from tidemill.calculators.table.spec import load

THEIRS = dict(ComprehensiveFCParameters())
ROWS = pytest.mark.parametrize("row", SECOND, ids=lambda row: row.name)


def test_the_order_is_that_of_tsfresh():
    ours = [row.name for row in SECOND if row.name in THEIRS]
    assert ours == [name for name in THEIRS if name in set(ours)]
    assert ours


@ROWS
def test_the_grid_is_that_of_tsfresh(row):
    theirs = THEIRS.get(row.name) or [{}]
    assert [dict(one) for one in row.grid] == list(theirs)


@ROWS
def test_every_name_in_a_row_leads_somewhere(row):
    for path in filter(None, (row.kernel, row.exact, row.tables)):
        assert callable(load(path)) or hasattr(load(path), "function")
    assert bool(row.kernel) != (row.element >= 0)
