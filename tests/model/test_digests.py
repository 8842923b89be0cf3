"""The digest sees every change of content and no change of order or cut."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.model.digests import (
    HashingFile,
    RowSum,
    checksum,
    content_digest,
    row_sum,
    table_sum,
)

COLUMNS = [f"x__f{n}" for n in range(7)]


def matrix(rows: int = 40) -> tuple[pa.Array, np.ndarray]:
    values = np.random.default_rng(3).normal(size=(rows, len(COLUMNS)))
    values[::5, 2] = np.nan
    return pa.array(range(rows)), values


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(40)), st.lists(st.integers(0, 40), max_size=5))
def test_order_and_parts_do_not_matter(order, cuts):
    ids, values = matrix()
    whole = row_sum(ids, values, COLUMNS)
    shuffled, tiles = ids.take(pa.array(order)), values[list(order)]
    bounds = [0, *sorted(cuts), 40]
    parts = [
        row_sum(shuffled[first:last], tiles[first:last], COLUMNS)
        for first, last in pairwise(bounds)
    ]
    assert sum(parts, RowSum()) == whole
    assert content_digest(parts, COLUMNS, "int64") == content_digest([whole], COLUMNS, "int64")


def test_a_part_file_gives_the_same_sum_as_its_matrix():
    ids, values = matrix()
    table = pa.table([ids, *values.T], names=["id", *COLUMNS])
    assert table_sum(table) == row_sum(ids, values, COLUMNS)
    assert table_sum(table.slice(3, 9)) == row_sum(ids[3:12], values[3:12], COLUMNS)
    assert table_sum(table) == row_sum(ids, np.asfortranarray(values), COLUMNS)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.__setitem__((3, 1), np.nextafter(v[3, 1], 9)),
        lambda v: v.__setitem__((3, 1), -v[3, 1]),
        lambda v: v.__setitem__((3, [1, 3]), -v[3, [1, 3]]),
        lambda v: v.__setitem__((slice(None), [1, 3]), -v[:, [1, 3]]),
        lambda v: v.__setitem__((3, [1, 3]), v[3, [3, 1]]),
        lambda v: v.__setitem__(([3, 4], 1), v[[4, 3], 1]),
        lambda v: v.__setitem__((0, 2), 0.0),
        lambda v: v.__setitem__((1, 2), np.nan),
    ],
)
def test_every_change_of_a_value_is_seen(change):
    ids, values = matrix()
    before = row_sum(ids, values, COLUMNS)
    change(values)
    after = row_sum(ids, values, COLUMNS)
    assert before.first != after.first
    assert before.second != after.second


def test_ids_names_types_and_rows_are_seen():
    ids, values = matrix()
    one = row_sum(ids, values, COLUMNS)
    others = [
        row_sum(pa.array(range(1, 41)), values, COLUMNS),
        row_sum(ids, values, [*COLUMNS[:-1], "other"]),
        row_sum(ids, values, COLUMNS, "name"),
        row_sum(ids[:39], values[:39], COLUMNS),
    ]
    assert len({one, *others}) == 5
    assert content_digest([one], COLUMNS, "int64") != content_digest([one], COLUMNS, "int32")
    assert content_digest([one], COLUMNS, "int64") != content_digest([one], COLUMNS[::-1], "int64")


def test_every_nan_is_one_nan():
    ids = pa.array([1])
    odd = np.array([[0x7FF8000000000001, 0xFFF8000000000000]], dtype=np.uint64).view(np.float64)
    plain = np.full((1, 2), np.nan)
    assert row_sum(ids, odd, ["a", "b"]) == row_sum(ids, plain, ["a", "b"])


def test_equal_values_in_other_widths_are_equal():
    for narrow, wide in (
        (pa.array([1, -2], pa.int8()), pa.array([1, -2])),
        (pa.array([0.5, None], pa.float32()), pa.array([0.5, None])),
        (pa.array(["a", "é"]), pa.array(["a", "é"], pa.large_string())),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "b"])),
        (pa.array([True, False]), pa.array([1, 0])),
    ):
        assert table_sum(pa.table({"x": narrow})) == table_sum(pa.table({"x": wide}))


def test_columns_of_all_types():
    moment = dt.datetime(2030, 1, 1)  # noqa: DTZ001
    columns = [
        pa.array(["", "a", None]),
        pa.array(["b", "", None]),
        pa.array([b"a", b"b", b"ab"]),
        pa.array([moment, None, moment]),
        pa.array([moment.date(), None, moment.date()]),
        pa.array([1, 2, 2**64 - 1], pa.uint64()),
        pa.array([1, 2, None], pa.decimal128(10, 2)),
        pa.array([None, None, None], pa.float64()),
    ]
    sums = {table_sum(pa.table({"x": column})) for column in columns}
    assert len(sums) == len(columns)
    for column in columns:
        parts = (table_sum(pa.table({"x": column[:1]})), table_sum(pa.table({"x": column[1:]})))
        assert parts[0] + parts[1] == table_sum(pa.table({"x": column}))


def test_no_rows_and_no_columns():
    assert row_sum(pa.array([], pa.int64()), np.empty((0, 3)), ["a", "b", "c"]) == RowSum()
    assert row_sum(pa.array([1]), np.empty((1, 0)), []).rows == 1
    assert table_sum(pa.table({"x": pa.array([], pa.string())})) == RowSum()


def test_strings_do_not_collide():
    words = [f"id_{n}" for n in range(20_000)] + ["ab", "ba", "a", "b", "aa", "", "\0", "\0\0"]
    sums = {table_sum(pa.table({"x": [word]})).first for word in words[::97] + words[-8:]}
    assert len(sums) == len(words[::97]) + 8


def test_the_digest_is_the_same_in_every_process():
    code = (
        "import numpy as np, pyarrow as pa; from tidemill.model.digests import *;"
        "print(content_digest([row_sum(pa.array(['a']), np.array([[0.5, np.nan]]), ['x', 'y'])],"
        "['x', 'y'], 'string'))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = "3cc7c190b6c1f0c24231a9d41bf2024a6871b68c57e85babf68870d478b07d39"
    assert out.stdout.strip() == expected


def test_speed():
    values = np.random.default_rng(0).normal(size=(4000, 783))
    ids, names = pa.array(range(4000)), [f"c{n}" for n in range(783)]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        row_sum(ids, values, names)
        seconds.append(time.perf_counter() - began)
    assert values.nbytes / min(seconds) > 300e6  # bytes per second; 1.9e9 was measured


def test_checksums(tmp_path):
    data = np.random.default_rng(4).bytes(3_000_000)
    (tmp_path / "x").write_bytes(data)
    target = io.BytesIO()
    file = HashingFile(target)
    file.write(data[:1_000_000])
    file.write(memoryview(data)[1_000_000:])
    with pa.OSFile(str(tmp_path / "x")) as native:
        assert checksum(native) == file.checksum
    assert checksum(tmp_path / "x") == checksum(str(tmp_path / "x")) == file.checksum
    assert (file.size, file.tell(), target.getvalue()) == (len(data), len(data), data)
