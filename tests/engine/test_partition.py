"""Map tasks: what they write, that they are resumed, and where each row goes."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill import partition
from tidemill.errors import DataError, ResourceError, SourceChangedError
from tidemill.partition import (
    Boundaries,
    check_space,
    drop_spill,
    run_spill_task,
    spill_bytes,
    spill_tasks,
)
from tidemill.plan import Plan
from tidemill.planning import make_parts
from tidemill.policies import Policies
from tidemill.sources import spilled
from tidemill.sources.files import open_source
from tidemill.sources.reading import read_part
from tidemill.sources.spilled import SpillFolder
from tidemill.sources.statistics import gather_statistics

N_IDS, N_FILES, N_TIMES = 50, 4, 20


def make_plan(folder, part_bytes=1000, **roles):
    source = open_source(folder, column_id="id", column_sort="time", **roles)
    statistics = gather_statistics(source)
    layout, parts = make_parts(source, statistics, lambda *_: 0.0, part_bytes=part_bytes)
    return Plan("key", source, {}, Policies(), layout, parts, ())


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """An input in the order of time, with one map task per file."""
    monkeypatch.setattr(spilled.map_tasks, "__defaults__", (N_IDS * N_TIMES * 24,))
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(N_FILES):
        times = np.repeat(np.arange(N_TIMES) + number * N_TIMES, N_IDS)
        ids = np.tile(np.arange(N_IDS), N_TIMES)
        table = pa.table({"id": ids, "time": times, "x": rng.normal(size=len(ids))})
        pq.write_table(table, tmp_path / f"in/{number}.parquet", row_group_size=300)
    return make_plan(tmp_path / "in")


def read_all(plan, spill_dir):
    batches = [b for p in plan.parts for b in read_part(plan, p, spill_dir, needs_times=False)]
    return {
        id_: block.values[block.starts[place] : block.stops[place]].tolist()  # noqa: PD011
        for batch in batches
        for block in batch.blocks.values()
        for place, id_ in enumerate(batch.ids.to_pylist())
    }


def expected(plan):
    frame = pd.read_parquet(plan.source.url).sort_values("time", kind="stable")
    return {id_: rows.tolist() for id_, rows in frame.groupby("id")["x"]}


def test_every_row_is_spilled_once(plan, tmp_path):
    spill_dir = str(tmp_path / "spill")
    assert spill_tasks(plan) == list(range(N_FILES))
    results = [run_spill_task(plan, task, spill_dir) for task in spill_tasks(plan)]
    assert sum(result["rows"] for result in results) == N_FILES * N_IDS * N_TIMES
    assert not any(result["reused"] for result in results)
    assert len(json.dumps(results[0])) < 300
    assert read_all(plan, spill_dir) == expected(plan)


def test_a_resumed_step_reuses_what_has_a_marker(plan, tmp_path):
    spill_dir = str(tmp_path / "spill")
    for task in (0, 1):
        run_spill_task(plan, task, spill_dir)
    folder = SpillFolder.of(plan, spill_dir).store
    folder.write("00002-dead.arrow", b"half a file of an attempt that died")
    folder.delete("00001.json")
    results = [run_spill_task(plan, task, spill_dir) for task in spill_tasks(plan)]
    assert [result["reused"] for result in results] == [True, False, False, False]
    assert read_all(plan, spill_dir) == expected(plan)


def test_of_two_attempts_at_once_one_file_stays(plan, tmp_path):
    spill_dir = str(tmp_path / "spill")
    folder = SpillFolder.of(plan, spill_dir)
    first = run_spill_task(plan, 0, spill_dir)
    late = dataclasses.replace(folder.find_marker(0), name="00000-late.arrow")
    folder.store.write(late.name, b"")
    assert folder.mark(late).name == first["name"]
    assert [e.path for e in folder.store.list() if e.path.endswith("arrow")] == [first["name"]]


def test_a_spill_that_was_made_anew_is_found_by_the_same_process(plan, tmp_path):
    spill_dir = str(tmp_path / "spill")
    for _ in range(2):
        for task in spill_tasks(plan):
            run_spill_task(plan, task, spill_dir)
        assert read_all(plan, spill_dir) == expected(plan)
        drop_spill(plan, spill_dir)
    assert not list((tmp_path / "spill").rglob("*.arrow"))
    with pytest.raises(ResourceError, match="run the partition step again"):
        read_all(plan, spill_dir)


def test_other_parts_have_another_folder(plan, tmp_path):
    other = make_plan(tmp_path / "in", part_bytes=5000)
    spill_dir = str(tmp_path / "spill")
    for one in (plan, other):
        for task in spill_tasks(one):
            assert not run_spill_task(one, task, spill_dir)["reused"]
        assert read_all(one, spill_dir) == expected(one)


def test_several_parts_in_a_bucket_and_several_rounds(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(spilled, "MAX_BUCKETS", 7)
    monkeypatch.setattr(partition, "ROUND_BYTES", 24 * 130)
    spill_dir = str(tmp_path / "spill")
    results = [run_spill_task(plan, task, spill_dir) for task in spill_tasks(plan)]
    assert len(plan.parts) > 20
    assert results[0]["rounds"] > 5
    assert read_all(plan, spill_dir) == expected(plan)


def test_clustered_plans_have_no_map_tasks(tmp_path):
    frame = pd.DataFrame({"id": range(10), "time": 0, "x": 0.0})
    frame.to_parquet(tmp_path / "a.parquet")
    assert spill_tasks(make_plan(tmp_path)) == []


def test_a_full_disk_is_found_before(plan, tmp_path, monkeypatch):
    check_space(plan, str(tmp_path / "not" / "there"))
    full = SimpleNamespace(total=9, used=9, free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert spill_bytes(plan.source) == 24 * N_FILES * N_IDS * N_TIMES
    with pytest.raises(ResourceError, match=r"needs about 96000 bytes in .*spill, where 1000 are"):
        check_space(plan, str(tmp_path / "spill"))


def test_errors_name_the_file(plan, tmp_path):
    table = pq.read_table(tmp_path / "in/2.parquet")
    ids = table["id"].to_pylist()
    bad = table.set_column(0, "id", pa.array([None, *ids[1:]]))
    pq.write_table(bad, tmp_path / "in/2.parquet", row_group_size=300)
    size = (tmp_path / "in/2.parquet").stat().st_size
    files = list(plan.source.files)
    files[2] = dataclasses.replace(files[2], size=size)
    source = dataclasses.replace(plan.source, files=tuple(files))
    with pytest.raises(DataError, match=r"in/2\.parquet: column 'id' is null in 1 of 300 rows"):
        run_spill_task(dataclasses.replace(plan, source=source), 2, str(tmp_path / "spill"))
    assert not list((tmp_path / "spill").rglob("*.arrow"))


def test_a_new_kind_is_refused(tmp_path):
    ids = np.tile(np.arange(10), 5)
    table = pa.table({"id": ids, "time": np.arange(50), "kind": ["a", "b"] * 25, "x": ids * 0.5})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    plan = make_plan(tmp_path, column_kind="kind")
    old = dataclasses.replace(plan, source=dataclasses.replace(plan.source, kinds=("b",)))
    with pytest.raises(SourceChangedError, match="holds a kind that was not there"):
        run_spill_task(old, 0, str(tmp_path / "spill"))


@given(
    lowers=st.sets(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300), min_size=1),
    ids=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300), min_size=1),
)
def test_boundaries_of_integers(lowers, ids):
    check_boundaries(np.array(sorted(lowers)), np.array(ids))


@given(
    lowers=st.sets(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    ids=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
)
def test_boundaries_of_floats(lowers, ids):
    check_boundaries(np.unique(np.array(sorted(lowers)) + 0.0), np.array(ids))


@pytest.mark.parametrize("spread", [600, 10**5, 10**9, 10**18])
@pytest.mark.parametrize("kind", [int, float, str])
def test_many_boundaries(spread, kind):
    rng = np.random.default_rng(0)
    lowers, ids = (rng.integers(-spread, spread, n) for n in (500, 20_000))
    ids = np.concatenate([ids, lowers, lowers - 1])
    as_kind = [np.array([kind(one) for one in array.tolist()]) for array in (lowers, ids)]
    check_boundaries(np.unique(as_kind[0]), as_kind[1])


def check_boundaries(lowers, ids):
    found = Boundaries(lowers.tolist()).parts(pa.array(ids.tolist()), "id")
    assert found.tolist() == np.searchsorted(lowers, ids, side="right").tolist()
