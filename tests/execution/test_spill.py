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

from tidemill.errors import DataError, ResourceError, SourceChangedError, SourceError
from tidemill.execution import spill as partition
from tidemill.execution.spill import (
    Boundaries,
    check_space,
    check_spill,
    drop_spill,
    run_spill_task,
    spill_bytes,
    spill_tasks,
)
from tidemill.model.plan import Plan
from tidemill.model.policies import Policies
from tidemill.planning.parts import make_parts
from tidemill.sources.files import spill_files as spilled
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_part
from tidemill.sources.files.spill_files import SpillFolder
from tidemill.sources.files.statistics import gather_statistics
from tidemill.storage.stores import Store

N_IDS, N_FILES, N_TIMES = 50, 4, 20


def make_plan(folder, part_bytes=1000, **roles):
    source = open_source(folder, column_id="id", column_sort="time", **roles)
    statistics = gather_statistics(source)
    layout, parts = make_parts(source, statistics, lambda *_: 0.0, part_bytes=part_bytes)
    return Plan("key", source, {}, Policies(), layout, parts, (), {})


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


def spill_all(plan, spill_dir):
    return [run_spill_task(plan, task, spill_dir) for task in spill_tasks(plan)]


def lose_file(folder, name):
    folder.store.delete(name)


def cut_file(folder, name):
    folder.store.write(name, folder.store.read(name)[:-100])


def damage_marker(folder, name):
    folder.store.write(f"{name[:5]}.json", b'{"task": 0, "na')


def strange_marker(folder, name):
    folder.store.write(f"{name[:5]}.json", b'["task"]')


@pytest.mark.parametrize("harm", [lose_file, cut_file, damage_marker, strange_marker])
def test_a_task_whose_file_or_marker_was_harmed_is_done_anew(plan, tmp_path, harm):
    spill_dir = str(tmp_path / "spill")
    folder = SpillFolder.of(plan, spill_dir)
    first = spill_all(plan, spill_dir)[1]
    for n_anew in (1, 2):
        harm(folder, folder.find_marker(1).name)
        if n_anew == 1 or harm in (lose_file, cut_file):
            assert folder.find_marker(1) is None
            with pytest.raises(ResourceError, match="3 of 4 map tasks are complete"):
                check_spill(plan, spill_dir)
        again = run_spill_task(plan, 1, spill_dir)
        assert again["name"] != first["name"]
        assert folder.find_marker(1).name == again["name"]
        assert run_spill_task(plan, 1, spill_dir) == again | {"reused": True}
    check_spill(plan, spill_dir)
    assert read_all(plan, spill_dir) == expected(plan)


def test_a_marker_whose_answer_was_lost_is_ones_own(plan, tmp_path, monkeypatch):
    create, calls = Store.create, []

    def create_and_lose_the_answer(store, path, data):
        calls.append(path)
        return create(store, path, data) and False

    monkeypatch.setattr(Store, "create", create_and_lose_the_answer)
    spill_dir = str(tmp_path / "spill")
    results = spill_all(plan, spill_dir)
    assert calls == [f"{task:05d}.json" for task in range(N_FILES)]
    found = [SpillFolder.of(plan, spill_dir).find_marker(task).name for task in range(N_FILES)]
    assert found == [result["name"] for result in results]
    assert read_all(plan, spill_dir) == expected(plan)


def test_a_marker_that_is_swept_away_while_it_is_read_is_written_again(plan, tmp_path, monkeypatch):
    create, answers = Store.create, [False]
    monkeypatch.setattr(Store, "create", lambda *args: answers.pop() if answers else create(*args))
    spill_dir = str(tmp_path / "spill")
    name = run_spill_task(plan, 0, spill_dir)["name"]
    assert SpillFolder.of(plan, spill_dir).find_marker(0).name == name


def test_a_damaged_spill_file_is_named(plan, tmp_path):
    spill_dir = str(tmp_path / "spill")
    results = spill_all(plan, spill_dir)
    folder = SpillFolder.of(plan, spill_dir)
    size = results[2]["bytes"]
    folder.store.write(results[2]["name"], b"ARROW1" + bytes(size - 6))
    with pytest.raises(ResourceError, match=rf"{results[2]['name']} is damaged .*delete this file"):
        read_all(plan, spill_dir)
    folder.store.delete(results[2]["name"])
    assert not run_spill_task(plan, 2, spill_dir)["reused"]
    assert read_all(plan, spill_dir) == expected(plan)


@pytest.mark.parametrize("buckets", [500, 7])
def test_a_flipped_bit_in_spilled_rows_gives_no_other_values(plan, tmp_path, monkeypatch, buckets):
    """Within the run that wrote it: later ones compare the whole file first."""
    monkeypatch.setattr(spilled, "MAX_BUCKETS", buckets)
    spill_dir = str(tmp_path / "spill")
    name = spill_all(plan, spill_dir)[1]["name"]
    store, right = SpillFolder.of(plan, spill_dir).store, expected(plan)
    whole, found, rng = store.read(name), 0, np.random.default_rng(buckets)
    for bit in rng.choice(8 * len(whole), 80, replace=False):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << (bit % 8)
        store.write(name, bytes(data))
        try:
            assert read_all(plan, spill_dir) == right, bit
        except ResourceError as error:
            assert f"{name} is damaged" in str(error)  # noqa: PT017
            found += 1
    assert found > 50


def test_a_spill_with_other_rows_than_the_input_is_refused(plan, tmp_path):
    spill_dir = str(tmp_path / "spill")
    spill_all(plan, spill_dir)
    folder = SpillFolder.of(plan, spill_dir)
    wrong = dataclasses.replace(folder.find_marker(3), rows=N_IDS * N_TIMES - 1)
    folder.store.write("00003.json", json.dumps(dataclasses.asdict(wrong)).encode())
    message = "holds 3999 rows, but the input has 4000: delete this folder"
    with pytest.raises(ResourceError, match=message):
        read_all(plan, spill_dir)
    with pytest.raises(ResourceError, match=message):
        check_spill(plan, spill_dir)
    assert not any(result["reused"] for result in spill_all(plan, spill_dir))
    check_spill(plan, spill_dir)
    assert read_all(plan, spill_dir) == expected(plan)


def test_rows_of_csv_are_those_counted(tmp_path):
    for number in range(2):
        frame = pd.DataFrame({"id": [1, 2, 3] * 4, "time": np.arange(12) + 12 * number})
        frame.assign(x=frame["id"] / 2).to_csv(tmp_path / f"{number}.csv", index=False)
    plan = make_plan(tmp_path)
    spill_dir = str(tmp_path / "spill")
    assert sum(result["rows"] for result in spill_all(plan, spill_dir)) == plan.source.rows == 24
    check_spill(plan, spill_dir)
    files = tuple(dataclasses.replace(file, rows=11) for file in plan.source.files)
    other = dataclasses.replace(plan, source=dataclasses.replace(plan.source, files=files))
    with pytest.raises(SourceError, match=r"0\.csv gave 12 rows instead of 11"):
        run_spill_task(other, 0, str(tmp_path / "other"))


def test_a_spill_that_was_dealt_otherwise_is_not_used(plan, tmp_path, monkeypatch):
    spill_dir = str(tmp_path / "spill")
    spill_all(plan, spill_dir)
    assert all(result["reused"] for result in spill_all(plan, spill_dir))

    def check_all_is_done_anew(plan):
        assert not any(result["reused"] for result in spill_all(plan, spill_dir))
        assert read_all(plan, spill_dir) == expected(plan)

    check_all_is_done_anew(dataclasses.replace(plan, result_key="another"))
    with monkeypatch.context() as patch:
        patch.setattr(spilled, "SPILL_FORMAT", spilled.SPILL_FORMAT + 1)
        check_all_is_done_anew(plan)
    with monkeypatch.context() as patch:
        patch.setattr(spilled, "MAX_BUCKETS", 7)
        check_all_is_done_anew(plan)
    shares = N_FILES * N_TIMES * N_IDS * 24 // N_FILES
    for task_bytes in (shares * 7 // 10, shares * 13 // 10):  # the second: as many tasks as before
        monkeypatch.setattr(spilled.map_tasks, "__defaults__", (task_bytes,))
        check_all_is_done_anew(plan)
    assert len({path.parent for path in (tmp_path / "spill").rglob("*.arrow")}) == 6


def test_what_others_spilled_below_the_same_folder_is_left_alone(plan, tmp_path, monkeypatch):
    spill_dir = str(tmp_path / "spill")
    others = [
        dataclasses.replace(plan, result_key="another"),
        make_plan(tmp_path / "in", part_bytes=5000),
    ]
    for one in (plan, *others):
        spill_all(one, spill_dir)
    (tmp_path / "spill/notes.txt").write_text("not a spill")
    lots = SimpleNamespace(total=9, used=9, free=spill_bytes(plan.source) - 1)
    new = dataclasses.replace(plan, result_key="new")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: lots)
        check_space(plan, spill_dir)
        with pytest.raises(ResourceError, match="needs about 96000 bytes"):
            check_space(new, spill_dir)  # what others spilled is of no use to it
    drop_spill(new, spill_dir)
    drop_spill(plan, spill_dir)
    assert SpillFolder.of(plan, spill_dir).find_marker(0) is None
    for one in others:
        check_spill(one, spill_dir)
        assert read_all(one, spill_dir) == expected(one)
    assert (tmp_path / "spill/notes.txt").exists()


def test_only_files_with_a_marker_count_as_written(plan, tmp_path, monkeypatch):
    spill_dir = str(tmp_path / "spill")
    run_spill_task(plan, 0, spill_dir)
    SpillFolder.of(plan, spill_dir).store.write("00001-dead.arrow", bytes(200_000))
    none = SimpleNamespace(total=9, used=9, free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: none)
    with pytest.raises(ResourceError, match="needs about 72000 bytes"):
        check_space(plan, spill_dir)


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
    files = open_source(tmp_path / "in", column_id="id").files
    source = dataclasses.replace(plan.source, files=files)
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


@pytest.mark.parametrize("spread", [1e-300, 1e150, 1e308])
def test_many_boundaries_at_the_ends_of_float64(spread):
    lowers = np.linspace(-1.7, 1.7, 500) * spread
    largest = np.finfo(np.float64).max
    check_boundaries(lowers, np.concatenate([lowers, [-largest, largest, 0.0, 5e-324]]))


def check_boundaries(lowers, ids):
    found = Boundaries(lowers.tolist()).parts(pa.array(ids.tolist()), "id")
    assert found.tolist() == np.searchsorted(lowers, ids, side="right").tolist()
