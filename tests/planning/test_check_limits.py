"""Limits of the checks that a user gives are merged with the defaults, or refused."""

from __future__ import annotations

import pytest

from tidemill.errors import ArgumentError
from tidemill.planning.check_limits import parse_checks


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({}, "rows_drop", {"warn": 0.1, "fail": 0.5}),
        ({"rows_drop": {}}, "rows_drop", {"warn": 0.1, "fail": 0.5}),
        ({"rows_drop": {"fail": 0.9}}, "rows_drop", {"warn": 0.1, "fail": 0.9}),
        ({"rows_drop": {"fail": 0.05}}, "rows_drop", {"warn": 0.1, "fail": 0.05}),
        ({"rows_drop": {"warn": "off"}}, "rows_drop", {"fail": 0.5}),
        ({"rows_drop": {"warn": "off", "fail": "off"}}, "rows_drop", {}),
        ({"rows_drop": "off"}, "rows_drop", {}),
        ({"rows_drop": "off"}, "nan_rise", {"warn": 0.05, "fail": 0.25}),
        ({"quarantined_series": {"fail": 5}}, "quarantined_series", {"warn": 0, "fail": 5}),
        ({"failed_cells": {"fail": 0}}, "failed_cells", {"warn": 0, "fail": 0}),
    ],
)
def test_limits(given, name, expected):
    assert parse_checks(given)[name] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"row_drop": {"fail": 0.5}},
            (
                "'row_drop'; choose from quarantined_series, failed_cells, rows_drop, "
                "input_rows_drop, coverage_drop, bad_files, nan_rise$"
            ),
        ),
        ({1: {}}, "no check 1;"),
        ("off", "give a mapping"),
        ([], "give a mapping"),
        ({"rows_drop": 0.5}, "limits for 'warn' and 'fail', or 'off' for the whole check"),
        ({"rows_drop": None}, "limits for"),
        ({"rows_drop": {"error": 0.5}}, "limits for"),
        ({"rows_drop": {"fail": 50}}, "share from 0 to below 1"),
        ({"rows_drop": {"fail": 1}}, "share from 0 to below 1"),
        ({"rows_drop": {"fail": -0.1}}, "share from 0"),
        ({"rows_drop": {"fail": True}}, "share from 0"),
        ({"rows_drop": {"fail": False}}, "share from 0"),
        ({"rows_drop": {"fail": "50%"}}, "share from 0"),
        ({"rows_drop": {"fail": None}}, "share from 0"),
        ({"rows_drop": {"fail": float("nan")}}, "share from 0"),
        ({"quarantined_series": {"fail": 0.5}}, "whole number from 0"),
        ({"quarantined_series": {"fail": -1}}, "whole number from 0"),
        ({"quarantined_series": {"fail": True}}, "whole number from 0"),
        ({"rows_drop": {"warn": 0.5, "fail": 0.1}}, "'warn' above 'fail' is never reached"),
    ],
)
def test_checks_that_are_refused(given, message):
    with pytest.raises(ArgumentError, match=f"^checks=.* is not allowed: .*{message}"):
        parse_checks(given)
