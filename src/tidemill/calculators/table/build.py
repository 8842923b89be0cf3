"""The registry table: one row per calculator, in the order of tsfresh's comprehensive settings.

Names, presets, grids, documentation, tests and benchmarks all derive from these rows. A row
without a source is defined by the function of the same name in
tsfresh.feature_extraction.feature_calculators (0.21.2).
"""

from __future__ import annotations

from tidemill.calculators.table.rows_first import FIRST
from tidemill.calculators.table.rows_plain import PLAIN
from tidemill.calculators.table.rows_second import SECOND
from tidemill.calculators.table.spec import Calculator

__all__ = ["LEFT_OUT", "ROWS"]

ROWS: tuple[Calculator, ...] = (*PLAIN, *FIRST, *SECOND)

#: tsfresh's calculators that have no row; settings that name one are refused.
LEFT_OUT = ("matrix_profile",)
