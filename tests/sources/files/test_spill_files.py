"""Markers of map tasks: the first that is complete counts; tasks cover the input once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import ResourceError
from tidemill.model.source import ColumnRoles, Source, SourceFile
from tidemill.sources.files.spill_files import (
    SpillFolder,
    SpillMarker,
    check_rows,
    complete_markers,
    find_markers,
    map_tasks,
    merge_groups,
    row_width,
)
from tidemill.storage.stores import Store


@pytest.fixture
def folder(tmp_path):
    return SpillFolder(Store.open(str(tmp_path)), n_tasks=2, n_parts=3, n_rows=7)


def spill(folder, task, name, rows=3):
    folder.store.write(name, b"12345")
    return SpillMarker(task, name, rounds=1, rows=rows, bytes=5, seconds=0.1)


def test_the_first_marker_counts_and_later_files_are_deleted(folder):
    first, second = spill(folder, 0, "first.arrow"), spill(folder, 0, "second.arrow")
    assert folder.mark(first) == first
    assert folder.mark(first) == first, "the same call again"
    assert folder.mark(second) == first
    assert sorted(entry.path for entry in folder.store.list()) == ["00000.json", "first.arrow"]
    assert folder.find_marker(0) == first
    assert folder.find_marker(1) is None


@pytest.mark.parametrize("harm", ["lost", "cut", "damaged"])
def test_a_marker_that_does_not_hold_is_replaced(folder, harm):
    first = folder.mark(spill(folder, 0, "first.arrow"))
    if harm == "lost":
        folder.store.delete(first.name)
    elif harm == "cut":
        folder.store.write(first.name, b"123")
    else:
        folder.store.write("00000.json", b'{"task"')
    assert folder.find_marker(0) is None
    second = folder.mark(spill(folder, 0, "second.arrow"))
    assert folder.find_marker(0) == second
    assert folder.store.read("00000-1.json")


def test_all_tasks_and_rows_must_be_there(folder):
    folder.mark(spill(folder, 1, "b.arrow"))
    assert [one.task for one in find_markers(folder)] == [1]
    with pytest.raises(ResourceError, match="1 of 2 map tasks are complete"):
        complete_markers(folder)
    folder.mark(spill(folder, 0, "a.arrow"))
    markers = complete_markers(folder)
    assert [one.task for one in markers] == [0, 1]
    with pytest.raises(ResourceError, match="holds 6 rows, but the input has 7"):
        check_rows(folder, markers)


def test_buckets_ascend_and_none_is_empty(folder):
    many = SpillFolder(folder.store, n_tasks=1, n_parts=1_234, n_rows=0)
    buckets = many.buckets()
    assert (buckets[1:] >= buckets[:-1]).all()
    assert len(set(buckets.tolist())) == many.n_buckets == 500
    assert folder.buckets().tolist() == [0, 1, 2]


def source_of(shape, ids=("id",)):
    files = [SourceFile(f"{i}", 1, "", "", rows, groups) for i, (rows, groups) in enumerate(shape)]
    columns = ColumnRoles(ids[0] if len(ids) == 1 else ids, None, None, ("x",))
    types = "int64" if len(ids) == 1 else ("int64",) * len(ids)
    return Source("/data", "parquet", tuple(files), columns, types, ("x",), {}, "")


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 5)), min_size=1, max_size=6),
    st.integers(1, 10_000),
)
def test_map_tasks_cover_all_row_groups_once_in_order(shape, task_bytes):
    source = source_of(shape)
    tasks = map_tasks(source, task_bytes)
    read = [(one.file, g) for task in tasks for one in task for g in range(one.first, one.last)]
    assert read == [(i, g) for i, (_, groups) in enumerate(shape) for g in range(groups)]
    for task in tasks:
        groups = [(one.file, g) for one in task for g in range(one.first, one.last)]
        needed = [16 * shape[i][0] / shape[i][1] for i, _ in groups]
        assert len(groups) == 1 or sum(needed) <= task_bytes * (1 + 1e-9)
        assert merge_groups(groups) == task


def test_each_column_of_a_composite_id_counts():
    assert row_width(source_of([(1, 1)])) == 16
    assert row_width(source_of([(1, 1)], ("a", "b"))) == 8 + 4 + 32
