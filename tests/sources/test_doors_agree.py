"""The same rows give the same matrix, bit for bit, through every door.

A case is a wide frame. It goes in as a frame (wide, long, and as a dict of frames), as Parquet and
as CSV (wide and long), as arrays, and as an interval of a schedule, as far as each can hold it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidemill

from ..support.daily import run
from ..support.series import extract

pytestmark = pytest.mark.filterwarnings("ignore::tidemill.errors.TextOrderWarning")

#: Calculators that see the order of the rows, and some that do not.
SETTINGS: dict[str, Any] = {
    "length": None,
    "mean": None,
    "first_location_of_maximum": None,
    "cid_ce": [{"normalize": False}],
    "autocorrelation": [{"lag": 1}],
}
DAY = "2026-11-18"
#: Names whose order is not that of the text.
NAMES = ["zero", "one", "two", "three", "four", "five"]
ORDERED = pd.CategoricalDtype(NAMES, ordered=True)
UNORDERED = pd.CategoricalDtype(NAMES)
#: Ascending times whose text does not ascend.
FORMS = [
    "2026-11-18",
    "20261118T01",
    "2026-11-18T02:00",
    "20261118T030000,5",
    "2026-11-18 04:00:00.123456789",
    "2026-11-18T05",
]
FILES = ("parquet", "feather", "csv")
FRAMES = ("long", "dict")
LONG = ("long parquet", "long csv")
TYPED = (*FRAMES, "parquet", "feather", "long parquet")
ALL = (*FRAMES, *FILES, *LONG)


@dataclass(frozen=True)
class Case:
    """A wide frame, its roles, and the doors that can take it besides the frame itself."""

    frame: pd.DataFrame
    doors: tuple[str, ...] = ALL
    column_id: str | list[str] = "id"
    column_sort: str | None = "time"
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return [self.column_id] if isinstance(self.column_id, str) else self.column_id

    @property
    def roles(self) -> dict[str, Any]:
        return {"column_id": self.column_id, "column_sort": self.column_sort, **self.policies}

    @property
    def keys(self) -> list[str]:
        return [*self.ids, *([] if self.column_sort is None else [self.column_sort])]

    @property
    def kinds(self) -> list[str]:
        return [name for name in self.frame if name not in self.keys]


def rows(n_ids: int = 4, length: int = 6) -> pd.DataFrame:
    """Shuffled rows of random values, with the ids and times 0, 1, 2, ..."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(n_ids), length), "time": np.tile(np.arange(length), n_ids)}
    )
    frame["y"] = rng.normal(size=len(frame)).round(4)
    frame["x"] = rng.integers(-50, 50, len(frame))
    return frame.sample(frac=1, random_state=3, ignore_index=True)


def with_ids(make: Callable[[int], Any], dtype: Any = None) -> pd.DataFrame:
    frame = rows()
    return frame.assign(id=pd.Series([make(one) for one in frame["id"]], dtype=dtype))


def with_times(make: Callable[[int], Any], dtype: Any = None) -> pd.DataFrame:
    frame = rows()
    return frame.assign(time=pd.Series([make(one) for one in frame["time"]], dtype=dtype))


def with_values(make: Callable[[float], Any], dtype: Any = None) -> pd.DataFrame:
    frame = rows()
    return frame.assign(x=pd.Series([make(one) for one in frame["x"]], dtype=dtype))


def stamps(unit: str = "ns", zone: str | None = None) -> pd.DataFrame:
    frame = rows()
    times = pd.Timestamp(DAY) + pd.to_timedelta(frame["time"] ** 2, "min")
    times = times.dt.as_unit(unit)
    return frame.assign(time=times if zone is None else times.dt.tz_localize(zone))


def composite() -> pd.DataFrame:
    frame = rows()
    plants = frame["id"].map(lambda one: "ab"[one % 2])
    return frame.assign(plant=plants, id=frame["id"] // 2)


def holes() -> pd.DataFrame:
    """Id 1 lacks x altogether, id 2 all but one value; y lacks one value."""
    frame = rows().astype({"x": float})
    frame.loc[(frame["id"] == 1) | ((frame["id"] == 2) & (frame["time"] > 0)), "x"] = np.nan
    frame.loc[(frame["id"] == 3) & (frame["time"] == 2), "y"] = np.nan
    return frame


def duplicates() -> pd.DataFrame:
    frame = rows()
    return frame.assign(time=frame["time"] // 2)


CASES = {
    "integers": Case(rows(), (*ALL, "arrays")),
    "ids int8": Case(rows().astype({"id": "int8"})),
    "ids text": Case(with_ids(lambda one: f"é{one}_")),
    "ids date": Case(with_ids(lambda one: dt.date(2026, 2, 27) + dt.timedelta(one))),
    "ids of two columns": Case(composite(), ("long", *FILES, *LONG), ["plant", "id"]),
    "sort float": Case(with_times(lambda one: (one - 2) / 4)),
    "sort date": Case(with_times(lambda one: dt.date(2026, 2, 27) + dt.timedelta(one))),
    "sort decimal": Case(with_times(lambda one: Decimal(one).scaleb(-1)), ("long", "parquet")),
    "sort text": Case(with_times(lambda one: "abcdef"[one])),
    "sort ISO 8601": Case(with_times(lambda one: f"{DAY}T0{one}:00")),
    "sort ISO 8601 with offsets": Case(with_times(lambda one: f"{DAY}T0{one}:00:00.5+01:00")),
    "sort ISO 8601 in several forms": Case(with_times(lambda one: FORMS[one])),
    "sort categories of numbers as text": Case(
        with_times(str, pd.CategoricalDtype(list("543210"), ordered=True)), ("long", "parquet")
    ),
    "sort ordered categories": Case(
        with_times(lambda one: NAMES[one], ORDERED), (*FRAMES, "parquet", "long parquet")
    ),
    "sort categories": Case(
        with_times(lambda one: NAMES[one], UNORDERED), (*FRAMES, "parquet", "long parquet")
    ),
    **{f"sort timestamp {unit}": Case(stamps(unit)) for unit in ("s", "us", "ns")},
    "sort timestamp UTC": Case(stamps("us", "UTC"), (*ALL, "interval")),
    "sort timestamp with a zone": Case(stamps("ns", "Asia/Tokyo")),
    "sort timestamp naive": Case(stamps("us"), ("parquet", "csv", "interval")),
    "no sort column": Case(rows().drop(columns="time"), FILES, column_sort=None),
    "values float32": Case(with_values(float, "float32"), (*FRAMES, *FILES, *LONG)),
    "values bool": Case(with_values(lambda one: one > 0), ("dict", *FILES)),
    "values decimal": Case(with_values(lambda one: Decimal(int(one)).scaleb(-1)), ("dict", *FILES)),
    "values nullable": Case(with_values(int, "Int16"), ("dict", *FILES)),
    "missing values, omit": Case(holes(), (*ALL, "arrays", "lacking"), policies={"on_nan": "omit"}),
    "missing values, quarantine": Case(
        holes(), (*ALL, "arrays"), policies={"on_nan": "quarantine"}
    ),
    **{
        f"duplicates, {policy}": Case(duplicates(), policies={"on_duplicate": policy})
        for policy in ("keep", "first", "last", "mean")
    },
}


@functools.cache
def expected(name: str) -> pd.DataFrame:
    """The matrix of the wide frame."""
    case = CASES[name]
    return by_frame(case.frame, **case.roles)


def by_frame(container: Any, **roles: Any) -> pd.DataFrame:
    return tidemill.extract_features(
        container, SETTINGS, n_jobs=1, disable_progressbar=True, **roles
    )


def melted(case: Case) -> pd.DataFrame:
    """The long format; its kinds are sorted, so the columns come in another order."""
    return case.frame.melt(case.keys, case.kinds, "kind", "value")


LONG_ROLES = {"column_kind": "kind", "column_value": "value"}


def by_long(case: Case, _: Path) -> pd.DataFrame:
    return by_frame(melted(case), **case.roles, **LONG_ROLES)


def by_dict(case: Case, _: Path) -> pd.DataFrame:
    frames = {kind: case.frame[[*case.keys, kind]].set_axis([*case.keys, "value"], axis=1)
              for kind in case.kinds}  # fmt: skip
    return by_frame(frames, **case.roles)


def by_file(case: Case, folder: Path, suffix: str, *, long: bool = False) -> pd.DataFrame:
    frame = melted(case) if long else case.frame
    roles = case.roles | (LONG_ROLES if long else {})
    folder.mkdir(exist_ok=True)
    half = len(frame) // 2
    for place, part in enumerate((frame[:half], frame[half:])):
        path = folder / f"{place}.{suffix}"
        if suffix == "csv":
            part.to_csv(path, index=False)
        elif suffix == "feather":
            part.reset_index(drop=True).to_feather(path)
        else:
            part.to_parquet(path, index=False, row_group_size=7)
    extract(folder, folder.parent / "out", SETTINGS, **roles)
    return tidemill.read_matrix(folder.parent / "out")


def by_interval(case: Case, folder: Path) -> pd.DataFrame:
    folder.mkdir()
    case.frame.to_parquet(folder / "a.parquet", index=False)
    run(folder, folder.parent / "table", DAY, settings=SETTINGS)
    return tidemill.read_matrix(folder.parent / "table", interval=f"{DAY.replace('-', '')}T000000Z")


def by_arrays(case: Case, _: Path) -> pd.DataFrame:
    """Channels of the ids one by one; positions, not ids, are the rows."""
    ordered = case.frame.sort_values(case.keys)
    arrays = [rows[case.kinds].to_numpy(float).T for _, rows in ordered.groupby("id")]
    return tidemill.extract_arrays(
        arrays, SETTINGS, kinds=case.kinds, n_jobs=1, **case.policies
    ).to_pandas()


def by_lacking(case: Case, _: Path) -> pd.DataFrame:
    """The long format without the rows that hold no value."""
    return by_frame(melted(case).dropna(), **case.roles, **LONG_ROLES)


DOORS: dict[str, Callable[[Case, Path], pd.DataFrame]] = {
    "long": by_long,
    "dict": by_dict,
    "parquet": functools.partial(by_file, suffix="parquet"),
    "csv": functools.partial(by_file, suffix="csv"),
    "feather": functools.partial(by_file, suffix="feather"),
    "long parquet": functools.partial(by_file, suffix="parquet", long=True),
    "long csv": functools.partial(by_file, suffix="csv", long=True),
    "interval": by_interval,
    "arrays": by_arrays,
    "lacking": by_lacking,
}


@pytest.mark.parametrize(
    ("name", "door"), [(name, door) for name, case in CASES.items() for door in case.doors]
)
def test_every_door_gives_the_matrix_of_the_wide_frame(name, door, tmp_path):
    wanted, found = expected(name), DOORS[door](CASES[name], tmp_path / "in")
    assert list(map(str, found.index)) == list(map(str, wanted.index))
    assert sorted(found.columns) == sorted(wanted.columns)
    columns = list(wanted.columns)
    for values in (found, wanted):
        assert set(values.dtypes) == {np.dtype("float64")}
    bits = [np.ascontiguousarray(one[columns]).view(np.int64) for one in (found, wanted)]
    np.testing.assert_array_equal(*bits)


def test_the_cases_have_what_tells_orders_apart():
    """No matrix is that of the rows as they lie, so a door that does not sort would be seen."""
    for name in ("integers", "sort text", "sort timestamp ns", "values bool"):
        case = CASES[name]
        unsorted = by_frame(case.frame.drop(columns="time"), column_id="id")
        assert not unsorted.equals(expected(name)), name
