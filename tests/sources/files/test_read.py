"""Whatever the layout of the input: the series that come out are those of a pandas groupby."""

import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.errors import DataError, ResourceError, SourceChangedError
from tidemill.execution.spill import run_spill_task, spill_tasks
from tidemill.model.plan import GroupSpan, Plan
from tidemill.model.policies import Policies
from tidemill.planning.parts import make_parts
from tidemill.planning.plan_json import plan_from_json, plan_to_json
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_part, read_span
from tidemill.sources.files.statistics import gather_statistics


def make_plan(location, part_bytes=2000, **roles):
    source = open_source(location, **{"column_id": "id"} | roles)
    statistics = gather_statistics(source)
    layout, parts = make_parts(source, statistics, lambda *_: 0.0, part_bytes=part_bytes)
    settings = {"*": [["mean", {}]]}
    plan = Plan("key", source, settings, Policies(), layout, parts, (), {})
    return plan_from_json(plan_to_json(plan))


def read_series(plan, spill_dir, **options):
    """All series of all parts; checks that ids ascend from batch to batch."""
    for task in spill_tasks(plan):
        run_spill_task(plan, task, str(spill_dir))
    series, last = {}, None
    for part in plan.parts:
        for batch in read_part(plan, part, str(spill_dir), needs_times=False, **options):
            for place, id_ in enumerate(batch.ids.to_pylist()):
                assert last is None or id_ > last
                last = id_
                for kind, block in batch.blocks.items():
                    if block.lengths[place]:
                        only = block.cut(place, place + 1)
                        series[id_, kind] = only.values[only.starts[0] : only.stops[0]].tolist()  # noqa: PD011
    return series


def expected_series(frame, sort=None):
    ordered = frame if sort is None else frame.sort_values(sort, kind="stable")
    kinds = [name for name in frame.columns if name not in ("id", sort)]
    groups = ordered.groupby("id", sort=True)
    return {(id_, kind): rows[kind].tolist() for id_, rows in groups for kind in kinds}


def write(folder, frame, cuts=(), group_rows=None, **options):
    """Write a frame as files cut at ``cuts``."""
    edges = [0, *cuts, len(frame)]
    Path(folder).mkdir(exist_ok=True)
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        table = pa.Table.from_pandas(frame.iloc[first:last], preserve_index=False)
        pq.write_table(
            table, f"{folder}/{number:03d}.parquet", row_group_size=group_rows, **options
        )
    return folder


def random_frame(n_ids=40, n_rows=2000, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.integers(0, n_ids, n_rows))
    return pd.DataFrame({"id": ids, "time": np.arange(n_rows), "x": rng.normal(size=n_rows)})


def check(tmp_path, frame, layout, cuts=(), group_rows=None, part_bytes=2000, **options):
    write(tmp_path / "in", frame, cuts, group_rows, **options)
    plan = make_plan(tmp_path / "in", part_bytes, column_sort="time")
    assert plan.layout == layout
    assert read_series(plan, tmp_path / "spill") == expected_series(frame, "time")
    return plan


def test_sorted_rows_are_read_from_the_input(tmp_path):
    plan = check(tmp_path, random_frame(), "clustered", group_rows=100)
    assert len(plan.parts) > 10


def test_one_row_group_with_all_rows_is_read_by_part(tmp_path):
    plan = check(tmp_path, random_frame(), "clustered", part_bytes=10_000)
    assert len(plan.parts) > 4


def test_a_giant_row_group_is_partitioned(tmp_path):
    plan = check(tmp_path, random_frame(), "spilled", part_bytes=500)
    assert len(plan.parts) > 20


def test_an_id_over_several_row_groups_and_files(tmp_path):
    frame = random_frame()
    frame.loc[300:1400, "id"] = frame["id"][300]
    frame = frame.sort_values(["id", "time"], ignore_index=True)
    check(tmp_path, frame, "clustered", cuts=(500, 900), group_rows=100)


def test_an_id_that_reappears_at_the_end(tmp_path):
    frame = random_frame()
    frame.loc[1990:, "id"] = 0
    check(tmp_path, frame, "spilled", group_rows=100)


def test_one_id_with_half_of_all_rows(tmp_path):
    frame = random_frame().sample(frac=1, random_state=1, ignore_index=True)
    frame.loc[::2, "id"] = 17
    frame["time"] = np.arange(len(frame))
    plan = check(tmp_path, frame, "spilled", group_rows=100)
    assert max(part.rows for part in plan.parts) < 1400


def test_twenty_files_in_time_order(tmp_path):
    frame = random_frame().sample(frac=1, random_state=1, ignore_index=True)
    frame["time"] = pd.date_range("2024-01-01", periods=len(frame), freq="h")
    check(tmp_path, frame, "spilled", cuts=range(100, 2000, 100))


def test_unsorted_row_groups_with_apart_ranges_are_read_from_the_input(tmp_path):
    frame = random_frame(n_ids=40, n_rows=2000)
    shuffled = [
        frame[(frame["id"] // 10) == ten].sample(frac=1, random_state=2) for ten in (2, 0, 3, 1)
    ]
    cuts = np.cumsum([len(rows) for rows in shuffled])[:-1]
    check(tmp_path, pd.concat(shuffled), "clustered", cuts=cuts, part_bytes=3000)


def test_rows_without_a_sort_column_keep_their_order(tmp_path):
    frame = random_frame().drop(columns="time")
    halves = pd.concat([frame.iloc[1000:], frame.iloc[:1000]])  # the ranges touch at one id
    assert frame["id"][999] == frame["id"][1000]
    write(tmp_path / "in", halves, cuts=(1000,))
    plan = make_plan(tmp_path / "in")
    assert plan.layout == "spilled"
    assert read_series(plan, tmp_path / "spill") == expected_series(halves)


def test_row_groups_without_statistics(tmp_path):
    check(tmp_path, random_frame(), "clustered", group_rows=100, write_statistics=["x"])


@pytest.mark.parametrize("id_type", ["text", "category", "date", "timestamp", "float", "bool"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_types_of_ids(tmp_path, id_type, shuffled):
    frame = random_frame(n_ids=2 if id_type == "bool" else 20)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["id"], unit="D")
    frame["id"] = {
        "text": frame["id"].map("ü{:02d}".format),
        "category": frame["id"].map("c{:02d}".format).astype("category"),
        "date": days.dt.date,
        "timestamp": days.dt.tz_localize("UTC"),
        "float": frame["id"] / 4 - 2,
        "bool": frame["id"] == 1,
    }[id_type]
    if shuffled:
        frame = frame.sample(frac=1, random_state=1)
    wanted = frame.assign(id=frame["id"].astype(str)) if id_type == "category" else frame
    write(tmp_path / "in", frame, (700,), 100)
    plan = make_plan(tmp_path / "in", 4000, column_sort="time")
    assert plan.layout == ("spilled" if shuffled else "clustered")
    assert len(plan.parts) > 1
    assert read_series(plan, tmp_path / "spill") == expected_series(wanted, "time")


@pytest.mark.parametrize("kinds", [["b", "a"], [2, 10]])
@pytest.mark.parametrize("shuffled", [False, True])
def test_long_format(tmp_path, kinds, shuffled):
    frame = random_frame()
    frame["kind"] = np.random.default_rng(3).choice(kinds, len(frame))
    if shuffled:
        frame = frame.sample(frac=1, random_state=1)
    write(tmp_path / "in", frame, (700,), 100)
    plan = make_plan(tmp_path / "in", 4000, column_sort="time", column_kind="kind")
    assert set(plan.source.kinds) == set(map(str, kinds))
    groups = frame.sort_values("time").groupby(["id", "kind"])["x"]
    wanted = {(id_, str(kind)): values.tolist() for (id_, kind), values in groups}
    assert read_series(plan, tmp_path / "spill") == wanted


@settings(max_examples=40)
@given(data=st.data())
def test_any_split_into_files_and_row_groups_gives_the_same_series(data):
    n_rows = data.draw(st.integers(1, 120))
    ids = data.draw(st.lists(st.integers(-5, 12), min_size=n_rows, max_size=n_rows))
    if data.draw(st.booleans()):
        ids = sorted(ids)
    if data.draw(st.booleans()):
        ids = [f"id {one:+d}" for one in ids]
    frame = pd.DataFrame({"id": ids, "time": np.arange(n_rows)[::-1], "x": np.arange(n_rows) / 2})
    cuts = sorted(data.draw(st.sets(st.integers(1, n_rows), max_size=4)) - {n_rows})
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/in", frame, cuts, data.draw(st.integers(1, n_rows)))
        plan = make_plan(f"{folder}/in", data.draw(st.integers(100, 5000)), column_sort="time")
        assert read_series(plan, f"{folder}/spill") == expected_series(frame, "time")


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path):
    write(tmp_path / "in", random_frame(), group_rows=100)
    plan = make_plan(tmp_path / "in", column_sort="time")
    write(tmp_path / "in", random_frame(n_rows=1000), group_rows=100)
    with pytest.raises(SourceChangedError, match=r"000\.parquet had \d+ bytes"):
        read_series(plan, tmp_path / "spill")
    (tmp_path / "in/000.parquet").unlink()
    with pytest.raises(SourceChangedError, match="no longer exists"):
        read_series(plan, tmp_path / "spill")


@pytest.mark.parametrize("name", ["000.parquet", "000.csv"])
def test_a_file_that_changes_while_it_is_read_is_not_called_damaged(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tidemill.sources.files.csv_rows.BLOCK_BYTES", 2**12)  # some are read ahead
    frame = random_frame(n_rows=20_000)
    path = tmp_path / "in" / name
    path.parent.mkdir()
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=100)
    source = open_source(str(path), column_id="id", column_sort="time")
    batches = read_span(source, GroupSpan(0, 0, 200), ("id", "time", "x"), rows=100)
    next(batches)
    path.write_bytes(b"?" * path.stat().st_size)  # in place: the open file sees it
    with pytest.raises(
        SourceChangedError, match=f"{name} .* start a new run, which makes a new plan"
    ):
        list(batches)


def test_data_errors_name_the_file(tmp_path):
    frame = random_frame()
    frame.loc[1500, "x"] = np.inf
    write(tmp_path / "in", frame, (1000,))
    plan = make_plan(tmp_path / "in", part_bytes=9000, column_sort="time")
    with pytest.raises(DataError, match=r"in/001\.parquet: column 'x'.* infinite"):
        read_series(plan, tmp_path / "spill")


def test_reading_without_the_partition_step_says_so(tmp_path):
    frame = random_frame().sample(frac=1, random_state=1)
    write(tmp_path / "in", frame)
    plan = make_plan(tmp_path / "in", column_sort="time")
    with pytest.raises(ResourceError, match="0 of 1 map tasks are complete"):
        next(read_part(plan, plan.parts[0], str(tmp_path / "spill"), needs_times=False))
    with pytest.raises(ResourceError, match="no spill_dir"):
        next(read_part(plan, plan.parts[0], needs_times=False))


def test_an_id_range_without_rows_gives_no_batch(tmp_path):
    write(tmp_path / "in", random_frame(), group_rows=100)
    plan = make_plan(tmp_path / "in", column_sort="time")
    nowhere = dataclasses.replace(plan.parts[0], lower=1000, upper=1001)
    assert list(read_part(plan, nowhere, needs_times=False)) == []


PEAK = """
import json, resource, sys
from tidemill.execution.spill import run_spill_task, spill_tasks
from tidemill.planning.plan_json import plan_from_json
from tidemill.sources.files.read import read_part
plan = plan_from_json(open(sys.argv[1]).read())
rows = 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for task in spill_tasks(plan):
    rows += run_spill_task(plan, task, sys.argv[2])["rows"]
if plan.layout == "clustered":
    for part in plan.parts:
        rows += sum(batch.n_rows for batch in read_part(plan, part, needs_times=False))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([rows, (peak - before) / 1024]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["clustered", "spilled"])
def test_memory_stays_flat_with_one_giant_row_group(tmp_path, layout):
    n_rows = 20_000_000
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(20_000), n_rows // 20_000)
    ids = ids if layout == "clustered" else ids.reshape(20_000, -1).T.ravel()
    table = pa.table({"id": ids, "x": rng.normal(size=n_rows)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=n_rows)
    if layout == "spilled":  # one id in two files
        pq.write_table(table.slice(0, 1000), tmp_path / "b.parquet")
    plan = make_plan(tmp_path, part_bytes=2**26)
    assert plan.layout == layout
    (tmp_path / "plan.json").write_text(plan_to_json(plan))
    command = [sys.executable, "-c", PEAK, tmp_path / "plan.json", tmp_path / "spill"]
    rows, mebibytes = json.loads(subprocess.check_output(command))
    assert rows == sum(file.rows for file in plan.source.files)
    assert mebibytes < 300  # of 320 MB of data in one row group
