"""Tiles of windows: the matrix in memory, in a file or in a folder of files is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill import extract_at, extract_rolling
from tidemill.calculators.costs import LONG_SERIES
from tidemill.errors import CalculationError, QuadraticWarning
from tidemill.frames.window_tiles import WindowedSeries, WindowJob, deliver
from tidemill.frames.windows import Cutoffs, WindowSpan
from tidemill.model.series import Batch, SeriesBlock

from ..support.series import ROLES, wide
from ..support.windows import SMALL, timed


def test_long_windows_are_warned_of():
    frame = pd.DataFrame({"id": 1, "time": np.arange(LONG_SERIES + 50), "x": 1.0})
    arguments = {"window": LONG_SERIES + 10, **ROLES}
    with pytest.warns(QuadraticWarning, match="the longest 20,010"):
        extract_rolling(frame, {"sample_entropy": None}, step=1000, **arguments)
    extract_rolling(frame, {"sample_entropy": None}, window=10, step=10_000, **ROLES)


def series_of(lengths: dict[str, list[int]], faults=()) -> WindowedSeries:
    """Series of ascending values 0, 1, ... at times 0, 1, ...; kinds have tracks of their own."""
    blocks, tracks = {}, {}
    for kind, own in lengths.items():
        stops = np.cumsum(own)
        starts = stops - own
        rows = np.concatenate([np.arange(n) for n in own])
        values = rows.astype(float)
        values[[place for name, place in faults if name == kind]] = np.nan
        blocks[kind] = SeriesBlock(kind, values, starts, stops)
        tracks[kind] = rows
    n_ids = len(next(iter(lengths.values())))
    batch = Batch(pa.array(range(n_ids)), blocks, keys=tracks)
    features = {kind: [("mean", {})] for kind in lengths}
    return WindowedSeries.of(batch, None, pd.RangeIndex(n_ids), features, "raise")


def job_of(series: WindowedSeries, ids: list[int], cutoffs: list[int], **more) -> WindowJob:
    count = len(ids)
    windows = Cutoffs(
        np.array(ids), np.arange(count), np.arange(1, count + 1), keys=np.array(cutoffs)
    )
    given = {"least": 2, "include_cutoff": False, "names": ("id", "cutoff")} | more
    return WindowJob(
        series, windows, WindowSpan(rows=3), label=lambda _, ids, ends: [ids, ends], **given
    )


def rows_of(job: WindowJob, n_columns: int = 2) -> list[tuple[int, int]]:
    return [
        row
        for tile in job.tiles(n_columns)
        for row in zip(tile.ids.tolist(), tile.cutoffs.tolist(), strict=True)
    ]


def test_kinds_with_few_rows_are_absent_and_windows_where_all_have_few_get_no_row():
    series = series_of({"x": [5, 5], "y": [5, 1]})
    job = job_of(series, [0, 1, 1, 0], [5, 5, 1, 1])
    (tile,) = job.tiles(2)
    assert tile.windows.tolist() == [0, 1]
    assert {kind: has.tolist() for kind, has in tile.batch.present.items()} == {
        "x": [True, True],
        "y": [True, False],
    }
    assert job.lengths(np.arange(4)) == {
        "x": pytest.approx([3, 3, 1, 1]),
        "y": pytest.approx([3, 1, 1, 1]),
    }
    frame = deliver(job, None, 1, show_progress=False)
    assert frame.index.tolist() == [(0, 5), (1, 5)]
    np.testing.assert_array_equal(frame, [[3, 3], [3, np.nan]])


def test_empty_windows_may_keep_their_row():
    job = job_of(series_of({"x": [5]}), [0, -1, 0], [1, 5, 5], keeps_empty=True)
    frame = deliver(job, None, 1, show_progress=False)
    np.testing.assert_array_equal(frame["x__mean"], [np.nan, np.nan, 3.0])
    assert frame.index.tolist() == [(0, 1), (-1, 5), (0, 5)]


@pytest.mark.parametrize("keeps_empty", [True, False])
def test_windows_that_hold_a_fault_get_no_row(keeps_empty):
    series = series_of({"x": [8], "y": [8]}, faults=[("y", 4)])
    job = job_of(series, [0] * 6, [3, 4, 5, 6, 7, 8], keeps_empty=keeps_empty)
    assert rows_of(job) == [(0, 3), (0, 4), (0, 8)]


@pytest.mark.parametrize(("size", "tiles"), [(1, 7), (8 * 2 * 3, 3), (10**6, 1)])
def test_tiles_cover_all_windows_in_order(size, tiles, monkeypatch):
    monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", size)
    job = job_of(series_of({"x": [9], "y": [9]}), [0] * 7, list(range(3, 10)))
    assert len(list(job.tiles(2))) == tiles
    assert rows_of(job) == [(0, cutoff) for cutoff in range(3, 10)]


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
