"""Every way in which rows can lie in files gives the matrix of the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.execution.job import Job
from tidemill.execution.plans import load_plan
from tidemill.planning.request import make_request

from ..support.series import LONG_ROLES, ROLES, extract, melted, wide, write

#: Calculators that see the order of the rows, and some that do not.
SETTINGS = {
    "length": None,
    "mean": None,
    "quantile": [{"q": 0.3}],
    "cid_ce": [{"normalize": False}],
    "autocorrelation": [{"lag": 2}],
    "fft_coefficient": [{"coeff": 1, "attr": "angle"}],
}


@dataclass(frozen=True)
class Shape:
    """An input in files, the frame that it is, and how it is laid out for the job."""

    source: Any
    frame: pd.DataFrame
    layout: str | None = "clustered"  # None: whatever is cheaper
    roles: dict[str, str] = field(default_factory=lambda: ROLES)
    part_bytes: int = 2000


def one_row_group(folder: Path) -> Shape:
    frame = wide(40, 12)
    return Shape(write(frame, folder / "a.parquet"), frame, None)


def shuffled_row_group(folder: Path) -> Shape:
    frame = wide(40, 12).sample(frac=1, random_state=2)
    return Shape(write(frame, folder / "a.parquet"), frame, None)


def id_over_three_row_groups(folder: Path) -> Shape:
    frame = wide(8, 30)
    return Shape(write(frame, folder / "a.parquet", rows=13), frame)


def id_that_comes_again_at_the_end(folder: Path) -> Shape:
    frame = wide(20, 12)
    late = (frame["id"] == 3) & (frame["time"] >= 6)
    frame = pd.concat([frame[~late], frame[late]])
    return Shape(write(frame, folder / "a.parquet", rows=24), frame, "spilled")


def id_with_half_of_all_rows(folder: Path) -> Shape:
    small, large = wide(20, 12), wide(1, 240, seed=8).assign(id=7)
    frame = pd.concat([small[small["id"] != 7], large]).sort_values(["id", "time"])
    return Shape(write(frame, folder / "a.parquet", rows=50), frame)


def files_in_time_order(folder: Path) -> Shape:
    frame = wide(25, 40)
    for step in range(20):
        span = frame[frame["time"] // 2 == step]
        write(span, folder / "in" / f"2026-11-{step + 1:02d}.parquet")
    return Shape(folder / "in", frame, "spilled")


def csv_folder(folder: Path) -> Shape:
    frame = wide(20, 12)
    (folder / "in").mkdir()
    frame[:100].to_csv(folder / "in" / "b.csv", index=False)
    frame[100:].to_csv(folder / "in" / "a.csv.gz", index=False)
    return Shape(folder / "in", frame, "spilled")


def text_ids(folder: Path) -> Shape:
    frame = wide(30, 12)
    names = frame["id"].map(lambda i: f"Gerät {i % 7}/{'x' * (i % 3)}{i}")
    return Shape(
        write(frame.assign(id=names), folder / "a.parquet", 60), frame.assign(id=names), "spilled"
    )


def categories_as_ids(folder: Path) -> Shape:
    frame = wide(30, 12)
    names = frame["id"].map("s{:02d}".format)
    source = write(frame.assign(id=names.astype("category")), folder / "a.parquet", 60)
    return Shape(source, frame.assign(id=names))


def kinds_missing_for_some_ids(folder: Path) -> Shape:
    frame = melted(wide(20, 12, "yxz"))
    frame = frame[(frame["kind"] != "x") | (frame["id"] % 3 == 0)]
    frame = frame[(frame["kind"] != "z") | (frame["id"] == 11)]
    return Shape(write(frame, folder / "a.parquet", rows=70), frame, "spilled", LONG_ROLES)


def long_rows_by_id(folder: Path) -> Shape:
    frame = melted(wide(20, 12, "yx")).sort_values(["id", "time", "kind"])
    return Shape(write(frame, folder / "a.parquet", rows=72), frame, roles=LONG_ROLES)


def unsorted_sort_column(folder: Path) -> Shape:
    frame = wide(20, 12).sample(frac=1, random_state=5).sort_values("id", kind="stable")
    return Shape(write(frame, folder / "a.parquet", rows=48), frame)


def without_sort_column(folder: Path) -> Shape:
    frame = wide(20, 12).drop(columns="time").sample(frac=1, random_state=5)
    return Shape(write(frame, folder / "a.parquet", rows=48), frame, "spilled", {"column_id": "id"})


def stamps_as_ids(folder: Path) -> Shape:
    frame = wide(20, 12)
    stamps = pd.Timestamp("2026-03-28", tz="UTC") + pd.to_timedelta(frame["id"], "h")
    return Shape(write(frame.assign(id=stamps), folder / "a.parquet", 48), frame.assign(id=stamps))


def dates_as_ids(folder: Path) -> Shape:
    frame = wide(20, 12)
    dates = (pd.Timestamp("2026-02-20") + pd.to_timedelta(frame["id"], "D")).dt.date
    return Shape(write(frame.assign(id=dates), folder / "a.parquet", 48), frame.assign(id=dates))


def stamps_as_sort_column(folder: Path) -> Shape:
    frame = wide(20, 12)
    frame["time"] = pd.Timestamp("2026-02-20") + pd.to_timedelta(frame["time"] ** 2, "min")
    shuffled = frame.sample(frac=1, random_state=6)
    return Shape(write(shuffled, folder / "a.parquet", rows=48), frame, "spilled")


def negative_and_large_ids(folder: Path) -> Shape:
    frame = wide(20, 12)
    frame["id"] = (frame["id"] - 10) * 10**17
    return Shape(write(frame, folder / "a.parquet", rows=48), frame)


def glob(folder: Path) -> Shape:
    frame = wide(20, 12)
    for year, span in (("2025", frame[:120]), ("2026", frame[120:])):
        write(span, folder / year / "data-a.parquet")
        write(span, folder / year / "other.parquet")
    return Shape(str(folder / "*" / "data-?.parquet"), frame)


def list_of_files(folder: Path) -> Shape:
    frame = wide(20, 12)
    paths = [write(frame[120:], folder / "b.parquet"), write(frame[:120], folder / "a.parquet")]
    write(frame, folder / "c.parquet")
    return Shape(paths, frame)


def empty_files_and_row_groups(folder: Path) -> Shape:
    frame = wide(20, 12)
    write(frame[:0], folder / "in" / "a.parquet")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pq.ParquetWriter(folder / "in" / "b.parquet", table.schema) as writer:
        for span in (table[:0], table[:100], table[:0], table[100:]):
            writer.write_table(span)
    return Shape(folder / "in", frame)


def narrow_types_and_other_columns(folder: Path) -> Shape:
    frame = wide(20, 12)
    frame = frame.assign(x=frame["x"].round().astype("int8"), y=frame["y"].astype("float32"))
    table = pa.Table.from_pandas(frame.assign(note="text"), preserve_index=False)
    pq.write_table(table.drop_columns("note"), folder / "a.parquet", row_group_size=48)
    return Shape(folder / "a.parquet", frame.astype({"x": float, "y": float}))


SHAPES: list[Callable[[Path], Shape]] = [
    one_row_group, shuffled_row_group, id_over_three_row_groups, id_that_comes_again_at_the_end,
    id_with_half_of_all_rows, files_in_time_order, csv_folder, text_ids, categories_as_ids,
    kinds_missing_for_some_ids, long_rows_by_id, unsorted_sort_column, without_sort_column,
    stamps_as_ids, dates_as_ids, stamps_as_sort_column, negative_and_large_ids, glob,
    list_of_files, empty_files_and_row_groups, narrow_types_and_other_columns,
]  # fmt: skip


@pytest.fixture(params=SHAPES, ids=lambda make: make.__name__)
def shape(request, tmp_path) -> Shape:
    (tmp_path / "source").mkdir()
    return request.param(tmp_path / "source")


def test_the_job_gives_the_matrix_of_the_frame(shape, tmp_path):
    expected = tidemill.extract_features(shape.frame, SETTINGS, **shape.roles)
    arguments = {**shape.roles, "part_bytes": shape.part_bytes}
    summary = extract(shape.source, tmp_path / "matrix", SETTINGS, **arguments)
    assert summary.parts["total"] > 1
    assert_same(tidemill.read_matrix(tmp_path / "matrix"), expected)
    whole = extract(shape.source, tmp_path / "whole.parquet", SETTINGS, **shape.roles)
    assert whole.digest == summary.digest, "the parts do not change a bit"


def test_the_layout_is_as_the_rows_lie(shape, tmp_path):
    request = make_request(
        shape.source, tmp_path / "matrix", settings=SETTINGS, part_bytes=shape.part_bytes,
        **shape.roles,
    )  # fmt: skip
    with Job.open(request) as job:
        assert load_plan(job.run).layout == shape.layout or shape.layout is None


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    assert list(found.index) == list(expected.index)
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


@pytest.fixture(scope="module")
def unclean() -> pd.DataFrame:
    """A series of NaN, single infinite values, and duplicate rows."""
    frame = wide(10, 12)
    frame.loc[frame["id"] == 3, "x"] = np.nan
    frame.loc[[5, 60, 61], "y"] = np.inf
    return pd.concat([frame, frame[40:50].assign(x=9.0)])


@pytest.mark.parametrize("sink", ["matrix", "matrix.parquet", "matrix.csv"])
@pytest.mark.parametrize("on_nan", ["omit", "quarantine"])
@pytest.mark.parametrize("on_duplicate", ["keep", "first", "last", "mean"])
def test_policies_are_the_same_at_both_doors(on_nan, on_duplicate, sink, unclean, tmp_path):
    policies = {"on_nan": on_nan, "on_duplicate": on_duplicate, **ROLES}
    source = write(unclean, tmp_path / "a.parquet")
    extract(source, tmp_path / sink, SETTINGS, part_bytes=1000, **policies)
    expected = tidemill.extract_features(unclean, SETTINGS, **policies)
    assert len(expected) == (10 if on_nan == "omit" else 7)
    assert_same(tidemill.read_matrix(tmp_path / sink), expected)
