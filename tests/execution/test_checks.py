"""Figures above their limits are found, exactly; limits people give are read or refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import shorten
from tidemill.execution import checks
from tidemill.execution.checks import CHECKS, Compared, ResultCounts, failures, find, measure
from tidemill.execution.coverage import CoverageDrop
from tidemill.planning.check_limits import CHECK_LIMITS, parse_checks

GOOD = ResultCounts(rows=1_000, columns=10, nan_cells=500, input_rows=10_000, files=4)
DEFAULTS = parse_checks()


def levels(findings):
    return {finding.check: finding.level for finding in findings}


def test_a_good_run_has_no_findings():
    assert find(DEFAULTS, Compared(GOOD)) == find(DEFAULTS, Compared(GOOD, GOOD)) == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"quarantined": 1}, {"quarantined_series": "warn"}),
        ({"failed_cells": 1}, {"failed_cells": "warn"}),
        ({"failed_cells": 1_000}, {"failed_cells": "warn"}),
        ({"failed_cells": 1_001}, {"failed_cells": "fail"}),
        ({"rows": 900, "nan_cells": 450}, {}),
        ({"rows": 899, "nan_cells": 450}, {"rows_drop": "warn"}),
        ({"rows": 500, "nan_cells": 250}, {"rows_drop": "warn"}),
        ({"rows": 499, "nan_cells": 250}, {"rows_drop": "fail"}),
        ({"rows": 0, "nan_cells": 0}, {"rows_drop": "fail"}),
        ({"rows": 5_000, "nan_cells": 0}, {}),
        ({"input_rows": 9_000}, {}),
        ({"input_rows": 8_999}, {"input_rows_drop": "warn"}),
        ({"input_rows": 0}, {"input_rows_drop": "warn"}),
        ({"files": 3, "bad_files": 1}, {"bad_files": "warn"}),
        ({"files": 1, "bad_files": 1}, {"bad_files": "warn"}),
        ({"files": 1, "bad_files": 2}, {"bad_files": "fail"}),
        ({"nan_cells": 1_000}, {}),
        ({"nan_cells": 1_001}, {"nan_rise": "warn"}),
        ({"nan_cells": 3_000}, {"nan_rise": "warn"}),
        ({"nan_cells": 3_001}, {"nan_rise": "fail"}),
        ({"nan_cells": 0}, {}),
        ({"columns": 20, "nan_cells": 20_000}, {}),  # other columns: not compared
        (
            {"rows": 1, "failed_cells": 10, "nan_cells": 10, "quarantined": 999},
            {
                "quarantined_series": "warn",
                "failed_cells": "fail",
                "rows_drop": "fail",
                "nan_rise": "fail",
            },
        ),
    ],
)
def test_default_limits(facts, expected):
    found = find(DEFAULTS, Compared(ResultCounts(**{**asdict(GOOD), **facts}), GOOD))
    assert levels(found) == expected
    assert list(levels(found)) == [name for name in CHECKS if name in expected]
    assert levels(failures(found)) == {k: v for k, v in expected.items() if v == "fail"}


@pytest.mark.parametrize("before", [None, ResultCounts(0, 10), ResultCounts(0, 0)])
def test_with_nothing_to_compare_with_nothing_is_found(before):
    assert find(DEFAULTS, Compared(ResultCounts(rows=1, columns=10, nan_cells=10), before)) == []


def test_a_result_without_cells_has_no_shares():
    empty = ResultCounts(rows=0, columns=10)
    assert find(DEFAULTS, Compared(empty, empty)) == find(DEFAULTS, Compared(empty)) == []


def test_sentences_say_the_figures_and_the_limit():
    bad = ResultCounts(
        rows=300, columns=10, quarantined=1_200, failed_cells=60, nan_cells=1_000, input_rows=9_000
    )
    assert [finding.sentence for finding in find(DEFAULTS, Compared(bad, GOOD))] == [
        "1,200 of 1,500 series quarantined, without a row; more than 0 is a warning",
        "60 of 3,000 cells (2%) are NaN because their calculator failed; more than 0% is a warning",
        "the rows fell from 1,000 to 300, by 70%; more than 50% fails the run",
        "the share of NaN cells rose from 5% to 33.33%; more than 25% fails the run",
    ]


def test_findings_and_limits_are_json_values():
    found = find(DEFAULTS, Compared(ResultCounts(rows=300, columns=10, quarantined=2), GOOD))
    for value in (DEFAULTS, [asdict(finding) for finding in found]):
        assert json.loads(json.dumps(value)) == value


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 99))
def test_a_figure_equal_to_its_limit_is_no_finding(rows, gone, percent):
    limits = parse_checks({"rows_drop": {"fail": percent / 100, "warn": "off"}})
    now, before = (
        ResultCounts(rows=100 * rows - min(gone, 100 * rows), columns=1),
        ResultCounts(100 * rows, 1),
    )
    is_above = (before.rows - now.rows) * 100 > percent * before.rows
    assert levels(find(limits, Compared(now, before))) == (
        {"rows_drop": "fail"} if is_above else {}
    )


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 99))
def test_a_difference_of_shares_is_not_rounded(now, before, percent):
    limits = parse_checks({"nan_rise": {"fail": percent / 100, "warn": "off"}})
    found = find(
        limits,
        Compared(ResultCounts(20, 10, nan_cells=2 * now), ResultCounts(10, 10, nan_cells=before)),
    )
    assert bool(found) == (now - before > percent)


def test_a_failure_hides_the_warning_of_the_same_check():
    limits = parse_checks({"failed_cells": {"warn": 0, "fail": 0}})
    assert levels(find(limits, Compared(ResultCounts(10, 10, failed_cells=1)))) == {
        "failed_cells": "fail"
    }


def test_the_documented_table_is_the_table():
    lines = [line.split("  ") for line in checks.__doc__.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    documented = [row for row in rows if row and row[0] in CHECKS]
    assert documented == [
        [
            check.name,
            check.summary,
            str(check.defaults.get("warn", "off")),
            str(check.defaults.get("fail", "off")),
        ]
        for check in CHECK_LIMITS.values()
    ]


def test_values_that_are_gone_and_files_left_out_are_named():
    now = ResultCounts(1, 1, input_rows=700, files=6, bad_files=4)
    coverage = CoverageDrop(Fraction(1, 8), "2026-11-26", ("7, x (24 to 0)",))
    names = ("a.csv", "b.csv", "c.csv", "d.csv")
    before = ResultCounts(1, 1, input_rows=1_000)
    files = shorten(names, 3)
    warned, none_allowed = "more than 10% is a warning", "more than 0% is a warning"
    assert coverage.text == "compared with 2026-11-26, most of 7, x (24 to 0)"
    found = find(DEFAULTS, Compared(now, before, coverage, names))
    assert [one.sentence for one in found] == [
        "the input rows fell from 1,000 to 700, by 30%; more than 10% is a warning",
        f"12.5% of the values per id and kind are gone, {coverage.text}; {warned}",
        f"4 of 10 input files could not be read and were left out: {files}; {none_allowed}",
    ]


def test_figures_have_the_unit_of_their_limits():
    measured = measure(DEFAULTS, Compared(GOOD, GOOD, CoverageDrop(Fraction(1, 8), "before")))
    assert list(measured) == list(CHECK_LIMITS)
    assert {name: one["figure"] for name, one in measured.items() if one["figure"]} == {
        "coverage_drop": 0.125
    }
    assert [name for name, one in measured.items() if not one["is_share"]] == ["quarantined_series"]
    assert json.loads(json.dumps(measured)) == measured


def test_a_record_of_an_older_version_has_nothing_to_compare_with():
    old = ResultCounts(rows=1_000, columns=10, nan_cells=500)
    assert find(DEFAULTS, Compared(replace(GOOD, input_rows=1), old)) == []
