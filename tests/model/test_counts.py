"""Numbers of things, in the singular and the plural."""

from __future__ import annotations

import pytest

from tidemill.model.counts import counted


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("input row",), "2 input rows"),
        (1, ("series",), "1 series"),
        (85_009, ("series",), "85,009 series"),
        (2, ("entry",), "2 entries"),
        (398, ("day",), "398 days"),
        (1, ("series was", "series were"), "1 series was"),
        (0, ("series was", "series were"), "0 series were"),
    ],
)
def test_one_is_singular_and_all_else_plural(number, words, expected):
    assert counted(number, *words) == expected
