"""The relevance of features interval by interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection.by_interval import (
    IntervalFindings,
    interval_table,
    told_untested,
    untested_reason,
    window_target,
)
from tidemill.selection.evidence import BINARY, CONSTANT, MISSING, REAL
from tidemill.selection.rules import SelectionRules

NAMES = pd.Index(["empty", "flat", "often", "once", "never"])


def found(label, often, once):
    return IntervalFindings(
        label,
        9,
        types=np.array([MISSING, CONSTANT, REAL, REAL, BINARY]),
        p_values=np.array([np.nan, np.nan, often, once, 0.9]),
        relevant=np.array([False, False, often < 0.05, once < 0.05, False]),
    )


DAYS = [found("a", 0.01, 0.5), found("b", 0.02, 0.001), IntervalFindings("c", 1, "1 row")]


def test_a_row_per_feature_says_in_how_many_intervals_it_is_relevant():
    table = interval_table(NAMES, DAYS, 0.75)
    assert list(table.index) == ["often", "once", "never", "flat", "empty"]
    assert list(table["n_relevant"]) == [2, 1, 0, 0, 0]
    assert list(table["share"]) == [1, 0.5, 0, 0, 0]
    assert list(table["relevant"]) == [True, False, False, False, False]
    assert list(table["type"]) == ["real", "real", "binary", "constant", "empty"]
    assert table.loc["once", ["p_value_a", "p_value_b"]].tolist() == [0.5, 0.001]
    assert list(table.columns[5:]) == ["p_value_a", "relevant_a", "p_value_b", "relevant_b"]


def test_a_share_that_is_just_reached_is_enough():
    assert interval_table(NAMES, DAYS, 0.5)["relevant"].sum() == 2
    assert interval_table(NAMES, DAYS, 0.5 + 1e-9)["relevant"].sum() == 1


def test_the_type_is_the_richest_of_all_intervals():
    other = IntervalFindings(
        "d",
        9,
        types=np.array([CONSTANT, BINARY, MISSING, CONSTANT, REAL]),
        p_values=np.full(5, np.nan),
        relevant=np.zeros(5, bool),
    )
    types = interval_table(NAMES, [*DAYS, other], 0.5)["type"]
    assert dict(types) == {
        "often": "real", "once": "real", "never": "real", "flat": "binary", "empty": "constant",
    }  # fmt: skip


def test_untested_intervals_are_named_and_not_all_may_be():
    assert list(told_untested(DAYS)) == [
        "1 of 3 intervals could not be tested and do not count: c (1 row)"
    ]
    assert list(told_untested(DAYS[:2])) == []
    with pytest.raises(SelectionError, match=r"no interval can be tested: c \(1 row\); give"):
        interval_table(NAMES, DAYS[2:], 0.5)


@pytest.mark.parametrize(
    ("y", "more", "reason"),
    [
        ([], {}, "0 rows"),
        ([1], {}, "1 row"),
        ([2, 2, 2], {}, "one value of the target"),
        ([1, 2], {}, ""),
        ([1, 2, 3], {"multiclass": True, "n_significant": 3}, ""),
        ([1, 2, 2], {"multiclass": True, "n_significant": 3}, "2 of the 3 classes that n_signific"),
        ([1, 2, 2], {"n_significant": 3}, ""),
    ],
)
def test_why_an_interval_cannot_be_tested(y, more, reason):
    found = untested_reason(pd.Series(y, dtype=np.int64), SelectionRules(**more))
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_two_classes_of_an_interval_are_not_told_apart():
    rules = SelectionRules(multiclass=True, n_significant=2)
    assert not window_target(pd.Series([1, 2, 2]), rules).multiclass
    assert window_target(pd.Series([1, 2, 3]), rules).multiclass
