"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tidemill.errors import ArgumentError
from tidemill.model.durations import likely_duration, parse_duration

SECOND = 10**9


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90s", 90),
        ("15min", 900),
        ("1h", 3600),
        ("1h30min", 5400),
        ("7d", 604_800),
        ("0.5s", 0.5),
        (timedelta(minutes=2), 120),
        (np.timedelta64(3, "h"), 10_800),
    ],
)
def test_durations(value, seconds):
    assert parse_duration("window", value) == seconds * SECOND


@pytest.mark.parametrize(
    "value",
    ["", "5", "1.5", "hour", "-1h", "0s", "NaT", 3600, None, timedelta(0), "999999d"],
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^window=.* such as '90s', '15min', '1h' or '7d'"):
        parse_duration("window", value)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("1 day", "1d"),
        ("2 weeks", "2w"),
        ("15 m", "15min"),
        ("1 Hour, 30 minutes", "1h30min"),
        ("2 hrs and 5 sec", "2h5s"),
        ("hourly", "1h"),
        ("week", "1w"),
    ],
)
def test_words_are_refused_with_what_they_mean(value, meant):
    with pytest.raises(ArgumentError, match=f"^every='{value}' is not allowed; write '{meant}'"):
        parse_duration("every", value)


@pytest.mark.parametrize("value", ["1 month", "soon", "1", "0 days", "5 apples", "", None, 3])
def test_what_means_nothing_gets_no_suggestion(value):
    assert likely_duration(value) is None


@pytest.mark.parametrize("value", ["0s", "0h 0min", timedelta(0), np.timedelta64(0, "s")])
def test_zero_is_a_duration_where_it_is_allowed(value):
    assert parse_duration("lag", value, allow_zero=True) == 0


@pytest.mark.parametrize("value", ["", "0", "-1h", timedelta(-1), np.timedelta64("NaT"), None, 0])
def test_what_is_no_duration_is_refused_beside_zero(value):
    with pytest.raises(ArgumentError, match=r"^lag=.* such as '0s', '90s', '15min', '1h' or '7d'"):
        parse_duration("lag", value, allow_zero=True)
