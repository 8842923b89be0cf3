"""How rows of the table are written: a kernel of the row's own name, or an element of a need."""

from __future__ import annotations

from tidemill.calculators.table import rows
from tidemill.calculators.table.spec import Calculator


def test_a_row_has_the_kernel_of_its_name_in_its_family():
    made = rows.row("kurtosis", "The kurtosis.", "distribution", "moments", minimum_length=4)
    assert isinstance(made, Calculator)
    assert made.kernel == "kernels.distribution:kurtosis"
    assert (made.needs, made.minimum_length) == (("moments",), 4)
    assert rows.row("a", "An a.", "changes").needs == ("values",)


def test_a_pick_has_no_kernel_but_an_element():
    made = rows.pick("maximum", "The largest value.", "extremes", 1)
    assert (made.kernel, made.needs, made.element) == ("", ("extremes",), 1)


def test_steps_are_one_parameter_each():
    assert rows.steps("lag", range(3)) == ({"lag": 0}, {"lag": 1}, {"lag": 2})
    assert len(rows.TREND_GRID) == len(rows.TREND) == 5
