"""What an earlier attempt left is used only if it must be right, and never blocks the next one."""

from __future__ import annotations

import os
import shutil
import struct

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.errors import SinkError, SourceChangedError
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.plans import missing_parts
from tidemill.execution.reduce import reduce
from tidemill.planning.request import make_request
from tidemill.sources.files import open as files
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import committed
from tidemill.storage.record import history

from ..support.inputs import make_input, write_input
from ..support.jobs import opened

FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture(params=["matrix", "matrix.parquet"])
def sink(request, tmp_path):
    return tmp_path / request.param


def go(series, sink, **more):
    arguments = {"settings": "minimal", **series.arguments, **more}
    return extract_here(make_request(arguments.pop("source"), sink, **arguments), threads=1)


def interrupted(series, sink, parts, **more):
    """The key's layout after an attempt that committed ``parts`` and ended there."""
    with opened(series, sink, **more) as job:
        run_chunk(job.run, parts)
        return job.run.key


def test_markers_without_their_plan_are_not_used(series, sink):
    key = interrupted(series, sink, [0, 1, 2])
    key.state.delete(key.plan)
    summary = go(series, sink, part_bytes=3 * series.part_bytes)
    assert summary.rows == 6
    assert summary.parts["reused"] == 0
    assert list(tidemill.read_matrix(str(sink)).index) == series.ids


def test_a_damaged_plan_is_made_again(series, sink):
    key = interrupted(series, sink, [0, 1])
    key.state.write(key.plan, b"")
    assert go(series, sink).rows == 6


def test_another_part_size_holds_until_a_part_is_committed(series, sink):
    interrupted(series, sink, [], part_bytes=10**9)
    assert go(series, sink).parts["total"] == 6


def test_parts_are_finished_as_they_were_cut(series, sink):
    interrupted(series, sink, [0, 1])
    summary = go(series, sink, part_bytes=10**9)
    assert summary.parts["total"] == 6
    assert summary.parts["reused"] == 2


def test_parts_of_a_changed_input_are_dropped(series, sink, tmp_path):
    kept = shutil.copy2(series.path, tmp_path / "kept.parquet")
    other = series.frame.assign(value=series.frame["value"] + 1)

    def change_in_mid_run():
        with opened(series, sink) as job:
            run_chunk(job.run, [0, 1])
            write_input(series.path, other, series.ids_per_part, series.length)
            reduce(job.run, FACTS)

    with pytest.raises(SourceChangedError, match="changed"):
        change_in_mid_run()
    shutil.copy2(kept, series.path)
    summary = go(series, sink)
    assert summary.parts["reused"] == 0
    expected = tidemill.extract_features(series.frame, "minimal", column_id="id")
    found = tidemill.read_matrix(str(sink))
    assert (found["value__mean"].to_numpy() == expected["value__mean"].to_numpy()).all()


def test_rows_that_no_part_counted_are_noticed(series, sink, monkeypatch):
    real = tidemill.execution.chunk.calculate_part

    def short(*args, **more):
        return {**real(*args, **more), "input_rows": 31}

    monkeypatch.setattr("tidemill.execution.chunk.calculate_part", short)
    with pytest.raises(SinkError, match=r"made of 186 rows, but the input .* has 192"):
        go(series, sink)
    monkeypatch.undo()
    assert go(series, sink).parts["calculated"] == 6


@pytest.mark.parametrize("left", ["all", "data", "markers", "half of the markers"])
def test_a_file_sink_goes_on_after_a_kill_while_its_parts_are_removed(left, series, tmp_path):
    sink = tmp_path / "matrix.parquet"
    bad = series.frame.copy()
    bad.loc[40, "value"] = float("nan")
    series = write_input(series.path, bad, series.ids_per_part, series.length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tidemill.execution.reduce.tidy", lambda *_: None)
        first = go(series, sink, on_nan="quarantine")
    key = SinkLayout.of(sink).key(history(SinkLayout.of(sink))[0].result_key)
    if left in {"data", "half of the markers"}:
        gone = key.state.list(key.markers)[:: 1 if left == "data" else 2]
        for entry in gone:
            key.state.delete(entry.path)
    if left == "markers":
        key.data.delete_all()
    again = go(series, sink, on_nan="quarantine")
    assert (again.rows, again.digest) == (first.rows, first.digest) == (5, first.digest)
    assert [one["id"] for one in again.quarantined] == ["1"]
    assert key.data.list() == []
    with opened(series, sink, on_nan="quarantine") as job:
        assert missing_parts(job.run) == []


def test_sinks_that_share_a_work_dir_leave_each_others_spill_alone(series, tmp_path):
    by_time = series.frame.sort_values(["time", "id"])
    series = write_input(series.path, by_time, series.ids_per_part, series.length)
    work = tmp_path / "work"
    with opened(series, tmp_path / "one", work_dir=work) as job:
        assert job.run.work_dir.startswith(str(work))
        go(series, tmp_path / "two", work_dir=work)
        spill = tmp_path / job.run.work_dir
        spill.mkdir(parents=True, exist_ok=True)
        (spill / "spill").mkdir()
        go(series, tmp_path / "three", work_dir=work)
        assert (spill / "spill").is_dir()


def test_parts_of_an_input_that_was_replaced_with_its_size_and_times_are_not_used(
    series, tmp_path, monkeypatch
):
    monkeypatch.setattr(files, "DIGEST_BYTES", 0)  # as for large inputs: the content is not read
    sink, plain = tmp_path / "matrix", {"use_dictionary": False, "compression": "none"}
    pq.write_table(pq.read_table(series.path), series.path, row_group_size=series.length, **plain)
    key = interrupted(series, sink, [0, 1, 2])
    before, data = series.path.stat(), bytearray(series.path.read_bytes())
    place = data.index(struct.pack("<d", 1.0))  # the first value of id 1
    data[place : place + 8] = struct.pack("<d", 0.5)
    other = tmp_path / "other"
    other.write_bytes(data)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(series.path)
    summary = go(series, sink)
    assert (summary.parts["calculated"], summary.parts["reused"]) == (6, 0)
    frame = pd.read_parquet(series.path)
    wanted = frame.groupby("id")["value"].mean()
    assert (frame["value"] == 0.5).sum() == 1
    assert len(committed(key)) == 6  # under the same key
    np.testing.assert_allclose(tidemill.read_matrix(sink)["value__mean"], wanted)
