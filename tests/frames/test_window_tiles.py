"""Tiles of windows: the matrix in memory, in a file or in a folder of files is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill import extract_at, extract_rolling
from tidemill.calculators.costs import LONG_SERIES
from tidemill.errors import ArgumentError, CalculationError, QuadraticWarning

from ..support.series import ROLES, wide
from ..support.windows import SMALL, timed


def test_long_windows_are_warned_of():
    frame = pd.DataFrame({"id": 1, "time": np.arange(LONG_SERIES + 50), "x": 1.0})
    arguments = {"window": LONG_SERIES + 10, **ROLES}
    with pytest.warns(QuadraticWarning, match="the longest 20,010"):
        extract_rolling(frame, {"sample_entropy": None}, step=1000, **arguments)
    extract_rolling(frame, {"sample_entropy": None}, window=10, step=10_000, **ROLES)


class TestSink:
    @pytest.mark.parametrize("zone", [None, "UTC"])
    def test_a_file_holds_the_same_matrix(self, tmp_path, monkeypatch, zone):
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 5_000)
        frame = timed(wide(3, 40), zone=zone)
        frame["id"] = frame["id"].map({0: "a", 1: "b", 2: "c"})
        arguments = {"window": 10, "step": 1, "n_jobs": 2, **ROLES}
        path = tmp_path / "deep" / "matrix.parquet"
        assert extract_rolling(frame, "minimal", sink=path, **arguments) is None
        expected = extract_rolling(frame, "minimal", **arguments)
        pd.testing.assert_frame_equal(pd.read_parquet(path), expected, check_exact=True)
        assert [one.name for one in path.parent.iterdir()] == ["matrix.parquet"]

    def test_a_table_in_pieces(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 500)
        frame = wide(3, 40)
        rng = np.random.default_rng(1)
        cutoffs = pd.DataFrame({"cutoff": rng.integers(0, 50, 99), "id": rng.integers(0, 4, 99)})
        path = str(tmp_path / "matrix.parquet")
        extract_at(frame, cutoffs, SMALL, window=5, sink=path, **ROLES)
        found = pd.read_parquet(path)
        pd.testing.assert_frame_equal(found, extract_at(frame, cutoffs, SMALL, window=5, **ROLES))
        assert found.index.tolist() == list(zip(cutoffs["id"], cutoffs["cutoff"], strict=True))

    def test_a_folder_has_files_of_some_pieces(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 1_000)
        frame = timed(wide(3, 200))
        folder = tmp_path / "deep" / "matrix"
        arguments = {"window": 10, "step": 1, **ROLES}
        extract_rolling(frame, "minimal", sink=folder, **arguments)
        files = sorted(one.name for one in folder.iterdir())
        assert files == [f"part-{number:05d}.parquet" for number in range(6)]
        expected = extract_rolling(frame, "minimal", **arguments)
        pd.testing.assert_frame_equal(pd.read_parquet(folder), expected, check_exact=True)
        assert [one.name for one in folder.parent.iterdir()] == ["matrix"]

    def test_sinks_that_hold_something_else(self, tmp_path):
        (tmp_path / "matrix.csv").touch()
        (tmp_path / "folder.parquet").mkdir()
        for name, says in [
            ("matrix.csv", "is a file that does not end in .parquet"),
            ("folder.parquet", "is a folder; give"),
            ("", "is a folder that is not empty"),
        ]:
            with pytest.raises(ArgumentError, match=says):
                extract_rolling(wide(2, 5), SMALL, window=2, sink=tmp_path / name, **ROLES)

    @pytest.mark.usefixtures("own_calculators")
    def test_a_folder_that_fails_leaves_nothing(self, tmp_path, monkeypatch):
        empty = tmp_path / "matrix"
        empty.mkdir()

        @tidemill.calculator
        def once(values):
            if values[0] >= 15:
                raise ValueError("full")
            return 1.0

        frame = wide(1, 20, "x").assign(x=np.arange(20.0))
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 8)
        with pytest.raises(CalculationError, match="full"):
            extract_rolling(frame, {"once": None}, window=1, sink=empty, **ROLES)
        assert list(tmp_path.iterdir()) == [empty]
        assert list(empty.iterdir()) == []
        extract_rolling(wide(2, 5), SMALL, window=9, sink=empty, **ROLES)
        assert pd.read_parquet(empty).shape == (0, 6)

    def test_no_rows(self, tmp_path):
        path = tmp_path / "matrix.parquet"
        extract_rolling(wide(2, 5), SMALL, window=9, sink=path, **ROLES)
        assert pd.read_parquet(path).shape == (0, 6)

    @pytest.mark.usefixtures("own_calculators")
    def test_an_earlier_file_stays_if_something_fails(self, tmp_path):
        path = tmp_path / "matrix.parquet"
        path.write_bytes(b"earlier")

        def failing(values):
            raise ValueError

        with pytest.raises(CalculationError):
            extract_rolling(wide(2, 5), {failing: None}, window=2, sink=path, **ROLES)
        assert path.read_bytes() == b"earlier"
        assert [one.name for one in tmp_path.iterdir()] == ["matrix.parquet"]


#: Prints MiB above the idle process and three times the input. The process is idle once it has
#: loaded its libraries and kernels: the small run before does that.
STREAMING = """
import sys
import numpy as np
import pandas as pd
import tidemill

def memory(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

def run(n_rows, sink):
    times = pd.date_range("2026-01-01", periods=n_rows // 2, freq="s")
    values = np.random.default_rng(1).standard_normal(n_rows)
    ids = np.repeat([1, 2], n_rows // 2)
    frame = pd.DataFrame({"id": ids, "time": np.tile(times, 2), "x": values})
    tidemill.extract_rolling(
        frame, settings, window=window, step=1, column_id="id", column_sort="time", sink=sink,
        n_jobs=2,
    )
    return frame.memory_usage(index=False).sum()

many = {"value_count": [{"value": float(value)} for value in range(777)]}
name, window = sys.argv[1], int(sys.argv[3])
settings = many if name == "many" else name
run(3_000, sys.argv[4] + "_0.parquet")
idle = memory("VmRSS")
size = run(int(sys.argv[2]), sys.argv[4])
print((memory("VmHWM") - idle - 3 * size) / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc/self/status")
@pytest.mark.parametrize(
    ("chosen", "n_rows", "window", "sink"),
    [("minimal", 1_000_000, 1_000, "matrix.parquet"), ("many", 200_000, 10, "matrix")],
)
def test_a_matrix_that_is_larger_than_its_input_is_streamed(tmp_path, chosen, n_rows, window, sink):
    path = tmp_path / sink
    command = [sys.executable, "-c", STREAMING, chosen, str(n_rows), str(window), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 128
    files = [path] if path.is_file() else sorted(path.iterdir())
    assert sum(pq.read_metadata(one).num_rows for one in files) == n_rows - 2 * window
