"""Rows that were calculated once are found again, by any process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tidemill.calculators import calculator
from tidemill.calculators.settings import Settings
from tidemill.sklearn.row_store import digests_of, identity_of, rows_kept

SERIES = [np.array([1.0, 2.0]), np.array([3.0])]


def test_each_row_is_calculated_once(tmp_path):
    asked = []

    def calculate(places):
        asked.append(places)
        return np.array([[float(place), 7.0] for place in places])

    first = rows_kept(tmp_path / "new", [b"a", b"b", b"a"], 2, calculate)
    assert first.tolist() == [[0.0, 7.0], [1.0, 7.0], [0.0, 7.0]]
    again = rows_kept(tmp_path / "new", [b"c", b"b"], 2, calculate)
    assert again.tolist() == [[0.0, 7.0], [1.0, 7.0]]
    assert asked == [[0, 1], [0]]


def test_many_rows_are_found(tmp_path):
    names = [str(number).encode() for number in range(25_000)]
    rows = np.arange(25_000.0)[:, None]
    rows_kept(tmp_path, names, 1, lambda places: rows[places])
    found = rows_kept(tmp_path, names[::-1], 1, lambda _: pytest.fail("calculated again"))
    np.testing.assert_array_equal(found, rows[::-1])


def test_processes_write_at_once(tmp_path):
    program = """
import sys
import numpy as np
from tidemill.sklearn.row_store import rows_kept
for turn in range(20):
    names = [f"{sys.argv[2]}-{turn}-{one}".encode() for one in range(50)]
    rows_kept(sys.argv[1], names, 3, lambda places: np.ones((len(places), 3)))
"""
    command = [sys.executable, "-c", program, tmp_path]
    started = [subprocess.Popen([*command, str(number)]) for number in range(2)]
    assert [one.wait(120) for one in started] == [0, 0]
    names = [f"1-{turn}-{one}".encode() for turn in range(20) for one in range(50)]
    assert rows_kept(tmp_path, names, 3, lambda _: pytest.fail("lost")).sum() == 3_000


def test_a_digest_is_of_values_shape_times_and_context():
    days = [np.array(["2026-01-01", "2026-01-02"], "M8[ns]"), np.array(["2026-01-01"], "M8[ns]")]
    found = {
        digests_of([np.array([1.0, 2.0])], None, "a")[0],
        digests_of([np.array([[1.0, 2.0]])], None, "a")[0],
        digests_of([np.array([[1.0], [2.0]])], None, "a")[0],
        digests_of([np.array([2.0, 1.0])], None, "a")[0],
        digests_of([np.array([1.0, 2.0])], days, "a")[0],
        digests_of([np.array([1.0, 2.0])], None, "b")[0],
    }
    assert len(found) == 6
    assert digests_of(SERIES, None, "a") == digests_of([one.copy() for one in SERIES], None, "a")


def test_another_version_of_an_own_calculator_is_another_identity(own_calculators):
    found = set()
    for version in "12":
        calculator(version=version)(own)
        found.add(identity_of(Settings.from_any({"own": None})))
    assert len(found) == 2


def own(values):
    return 0.0
