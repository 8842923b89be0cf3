"""Readers of a published matrix: what they see while it is replaced, its ids, its columns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from deltalake import DeltaTable

import tidemill

from ..support.series import ROLES, extract, wide, write

PART_BYTES = 2000
SECONDS = 30  # that a reader may take to see a new matrix


def by_deltalake(sink: Path) -> pd.DataFrame:
    return DeltaTable(sink).to_pyarrow_table().to_pandas()


def by_polars(sink: Path) -> pd.DataFrame:
    return pd.DataFrame(pl.read_delta(str(sink)).to_dict(as_series=False))


def by_duckdb(sink: Path) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("matrix", DeltaTable(sink).to_pyarrow_dataset())
        return connection.sql("select * from matrix").df()


def by_read_matrix(sink: Path) -> pd.DataFrame:
    return tidemill.read_matrix(sink).reset_index()


def by_pandas(sink: Path) -> pd.DataFrame:
    # By name, pandas opens the file twice (footer, pages); a replacement may fall in between.
    with sink.open("rb") as file:
        return pd.read_parquet(file)


Read = Callable[[Path], pd.DataFrame]
READERS: dict[str, list[Read]] = {
    "matrix": [by_deltalake, by_polars, by_duckdb, by_read_matrix],
    "matrix.parquet": [by_pandas, by_read_matrix],
    "matrix.csv": [by_read_matrix],
}


class Reader(threading.Thread):
    """Reads over and over, and keeps which of the known matrices it saw."""

    def __init__(self, read: Read, sink: Path, known: list[pd.DataFrame]) -> None:
        super().__init__(name=read.__name__, daemon=True)
        self.seen: list[int] = []
        self.error: Exception | None = None
        self.ended = threading.Event()
        self._read, self._sink, self._known = read, sink, known

    def run(self) -> None:
        try:
            while not self.ended.is_set():
                self.seen.append(self._recognise(self._read(self._sink)))
        except Exception as error:  # noqa: BLE001  shown by the test
            self.error = error

    def _recognise(self, found: pd.DataFrame) -> int:
        """Number of the known matrix that this is, cell by cell."""
        rows = found.set_index("id").sort_index()
        for number, matrix in enumerate(self._known):
            if list(matrix.columns) == list(rows.columns):
                np.testing.assert_array_equal(rows.index, matrix.index)
                np.testing.assert_array_equal(rows.to_numpy(), matrix.to_numpy())
                return number
        raise AssertionError(f"neither the old nor the new matrix: {list(found.columns)}")


def wait_until_all_saw(readers: list[Reader], number: int) -> None:
    give_up = time.monotonic() + SECONDS
    while not all(number in reader.seen for reader in readers):
        for reader in readers:
            if reader.error is not None:
                raise reader.error
        assert time.monotonic() < give_up, f"not seen by all: matrix {number}"
        time.sleep(0.005)


@pytest.mark.parametrize("name", READERS)
def test_readers_see_whole_matrices_while_they_are_replaced(name, tmp_path):
    frame = wide(40, 12)
    source, sink = write(frame, tmp_path / "a.parquet", rows=48), tmp_path / name
    settings = [
        {"quantile": [{"q": step / 10}, {"q": step / 20}], "mean": None} for step in range(1, 7)
    ]
    known = [tidemill.extract_features(frame, one, **ROLES) for one in settings]
    extract(source, sink, settings[0], part_bytes=PART_BYTES, **ROLES)
    readers = [Reader(read, sink, known) for read in READERS[name]]
    for reader in readers:
        reader.start()
    try:
        wait_until_all_saw(readers, 0)
        for number, one in enumerate(settings[1:], 1):
            summary = extract(source, sink, one, part_bytes=PART_BYTES, **ROLES)
            assert summary.parts["calculated"] > 3
            wait_until_all_saw(readers, number)
    finally:
        for reader in readers:
            reader.ended.set()
        for reader in readers:
            reader.join(SECONDS)
    for reader in readers:
        assert reader.error is None
        assert reader.seen == sorted(reader.seen), "never an old matrix after a new one"
        assert set(reader.seen) == set(range(6))


STAMPS = pd.Timestamp("2026-03-28 23:00") + pd.to_timedelta(np.repeat(range(8), 3), "h")
NUMBERS = np.repeat(range(8), 3)
#: Ids, and their dtype as read_matrix gives it.
IDS = {
    "int8": (NUMBERS.astype(np.int8) - 4, "int8"),
    "int32": (NUMBERS.astype(np.int32) * 1000, "int32"),
    "int64": (NUMBERS - 2**60, "int64"),
    "uint32": (NUMBERS.astype(np.uint32), "int64"),
    "float": (NUMBERS / 4 - 1, "float64"),
    "bool": (NUMBERS > 3, "bool"),
    "str": (np.array([f"ü{i}, \"{i}'" for i in NUMBERS]), "str"),
    "numerals": (np.array([f"00{i}" for i in NUMBERS]), "str"),
    "stamp": (STAMPS, "datetime64[us]"),
    "stamp of nanoseconds": (STAMPS.as_unit("ns"), "datetime64[us]"),
    "stamp in UTC": (STAMPS.tz_localize("UTC"), "datetime64[us, UTC]"),
    "stamp in a zone": (STAMPS.tz_localize("Asia/Tokyo"), "datetime64[us, UTC]"),
    "date": ((pd.Timestamp("2026-02-25") + pd.to_timedelta(NUMBERS, "D")).date, "object"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet", "matrix.csv"])
@pytest.mark.parametrize("kind", IDS)
def test_read_matrix_keeps_type_and_order_of_ids(kind, name, tmp_path):
    ids, dtype = IDS[kind]
    frame = pd.DataFrame({"id": ids, "x": np.arange(len(ids)) / 3}).sample(frac=1, random_state=1)
    source = write(frame, tmp_path / "a.parquet", rows=5)
    extract(source, tmp_path / name, {"mean": None}, column_id="id", part_bytes=64)
    found = tidemill.read_matrix(tmp_path / name)
    assert str(found.index.dtype) == dtype
    assert found.index.is_monotonic_increasing
    assert found.index.name == "id"
    expected = frame.groupby("id")["x"].mean()
    assert list(found.index) == list(expected.index)
    np.testing.assert_allclose(found["x__mean"], expected, rtol=1e-15)


KINDS = [
    "power (kW), total", "it's", 'a "quoted" one', "ü ß €", "x/y", "a.b", "k=v", "100%", "a;b{c}",
    "back\\slash", " blank ", "tab\tand\nline", "Id", "_x",
]  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_columns_may_have_any_name(name, tmp_path):
    frame = wide(6, 12, "x").drop(columns="x")
    for place, kind in enumerate(KINDS):
        frame[kind] = np.arange(len(frame)) * (place + 1.0)
    settings = {"mean": None, "fft_coefficient": [{"coeff": 1, "attr": "abs"}]}
    extract(write(frame, tmp_path / "a.parquet"), tmp_path / name, settings)
    expected = tidemill.extract_features(frame, settings, **ROLES)
    assert list(expected.columns)[1] == f'{KINDS[0]}__fft_coefficient__attr_"abs"__coeff_1'
    for read in READERS[name]:
        found = read(tmp_path / name).set_index("id").sort_index()
        assert list(found.columns) == list(expected.columns), read.__name__
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


#: Polars 1.x does not find files in folders whose names need quoting in a URL.
ODD = ["a b", "a#b", "a?b", "a+b=c", "50%", "zwölf äöü", "x:y,z", "[x]"]


@pytest.mark.parametrize("name", ODD)
def test_tables_and_inputs_may_lie_in_folders_of_any_name(name, tmp_path):
    source = tmp_path / (name if not set(name) & set("?[") else "plain") / "in"
    frame = wide()
    write(frame, source / f"{name}.parquet")
    sink = tmp_path / name / "matrix"
    extract(source, sink)
    write(wide(seed=8), source / f"{name}.parquet")
    again = extract(source, sink)
    assert (again.rows, again.version) == (6, "1")
    DeltaTable(sink).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    expected = tidemill.extract_features(wide(seed=8), "minimal", **ROLES)
    for read in (by_deltalake, by_duckdb, by_read_matrix):
        found = read(sink).set_index("id").sort_index()
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
