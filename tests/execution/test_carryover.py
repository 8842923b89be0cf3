"""New features of published intervals: they alone are calculated, and nothing else changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import deltalake
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidemill
from tidemill.calculators import batches as matrix
from tidemill.calculators import calculator
from tidemill.errors import CalculationError, SinkError
from tidemill.execution import reduce as reduction
from tidemill.execution.carryover import MISSING, KeptRows
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.planning.doors import EXTRACT_INTERVAL
from tidemill.planning.prepare import prepare
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import examine
from tidemill.recurring.intervals import find_interval
from tidemill.storage import part_writer as parts
from tidemill.storage.intervals import read_intervals
from tidemill.storage.layout import SinkLayout

from ..support.jobs import leave_dead_attempt

DAY, NEXT = "2026-11-18", "2026-11-19"
NAME = "20261118T000000Z"
PAIR = ["plant", "sensor"]
BEFORE = {"maximum": None, "quantile": [{"q": 0.25}]}
AFTER = {"quantile": [{"q": 0.75}, {"q": 0.25}], "mean": None, "maximum": None}


def rows(day: str, ids: int = 30, steps: int = 20) -> pd.DataFrame:
    times = pd.date_range(day, periods=steps, freq="1h")
    frame = pd.DataFrame({"id": np.repeat(np.arange(ids), steps), "time": np.tile(times, ids)})
    values = np.random.default_rng(int(day[-2:])).normal(size=(2, len(frame)))
    return frame.assign(x=values[0], y=values[1])


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for day in (DAY, NEXT):
        rows(day).to_parquet(folder / f"{day}.parquet", index=False, row_group_size=100)
    return folder


@pytest.fixture
def table(tmp_path) -> Path:
    return tmp_path / "table"


def request(source, table, settings, choice="refuse", day=DAY, **options):
    made = make_request(
        source, table, door=EXTRACT_INTERVAL, column_time="time", settings=settings,
        on_settings_change=choice, checks={"failed_cells": "off"},
        **{"column_id": "id", "on_nan": "raise", "on_error": "raise"} | options,
    )  # fmt: skip
    return replace(made, interval=find_interval(Calendar("1d"), day))


def run(*arguments, **options):
    return extract_here(request(*arguments, **options), threads=2)


def record(table):
    return read_intervals(SinkLayout.of(table), [NAME])[NAME]


def state(about):
    return examine(about, record(about.sink), recalculate=False).state


def assert_as_if_whole(source, table, tmp_path, settings=AFTER, **options):
    """The interval equals one of another table that was calculated in one go."""
    whole = tmp_path / "whole"
    wanted = run(source, whole, settings, **options)
    assert record(table).digest == wanted.digest
    assert record(table).settings == record(whole).settings
    assert record(table).facts == record(whole).facts
    made = tidemill.read_matrix(whole, NAME)
    shown = tidemill.read_matrix(table, NAME)[list(made.columns)]
    pd.testing.assert_frame_equal(shown, made, check_exact=True)


# Rows are as if all features had been calculated


def as_text(ids):
    return "s" + ids.astype(str).str.zfill(3)


def as_dates(ids):
    return (pd.Timestamp("2026-01-01") + pd.to_timedelta(ids, "D")).dt.date


def as_fractions(ids):
    return ids + 0.5


def as_flags(ids):
    return ids >= 15


@pytest.mark.parametrize("ids", [as_text, as_dates, as_fractions, as_flags])
@pytest.mark.parametrize("spilled", [False, True], ids=["clustered", "spilled"])
def test_only_new_columns_are_calculated(ids, spilled, source, table, tmp_path):
    path = source / f"{DAY}.parquet"
    frame = pd.read_parquet(path)
    frame = frame.assign(id=ids(frame["id"]))
    order = ["time", "id"] if spilled else ["id", "time"]
    frame = frame.sort_values(order, kind="stable").drop_duplicates(["id", "time"])
    frame.to_parquet(path, index=False, row_group_size=100)
    (source / f"{NEXT}.parquet").unlink()  # its ids are of the other type
    run(source, table, BEFORE, part_bytes=1_500)
    about = request(source, table, AFTER, "append", part_bytes=2_300)
    assert state(about) == "extended"
    summary = extract_here(about, threads=2)
    assert "4 new columns were calculated" in summary.note
    assert "maximum" not in summary.seconds_by_calculator
    assert summary.acceptance["changes"]["altered"]["count"] == 0
    assert_as_if_whole(source, table, tmp_path)
    assert state(request(source, table, AFTER)) == "unchanged"


@pytest.mark.parametrize("spilled", [False, True], ids=["clustered", "spilled"])
def test_rows_of_ids_of_several_columns_gain_features(spilled, source, table, tmp_path):
    path = source / f"{DAY}.parquet"
    frame = pd.read_parquet(path)
    frame = frame.assign(plant=np.where(frame["id"] % 2, "a", "a\x01b"), sensor=frame["id"] // 2)
    order = ["time", "sensor"] if spilled else ["plant", "sensor", "time"]
    frame.drop(columns="id").sort_values(order, kind="stable").to_parquet(
        path, index=False, row_group_size=100
    )
    (source / f"{NEXT}.parquet").unlink()  # it has one id column
    run(source, table, BEFORE, part_bytes=1_500, column_id=PAIR)
    extended = run(source, table, AFTER, choice="append", part_bytes=2_300, column_id=PAIR)
    assert "4 new columns were calculated" in extended.note
    assert extended.parts["total"] > 1
    assert_as_if_whole(source, table, tmp_path, column_id=PAIR)
    assert tidemill.read_matrix(table, NAME).index.names == PAIR


def test_kinds_that_some_ids_lack_and_cells_that_failed(source, table, tmp_path, own_calculators):
    calls = []

    @calculator(version="1")
    def fragile(values):
        calls.append(len(values))
        if values[0] > 0:
            raise ValueError("above zero")
        return values[0]

    path = source / f"{DAY}.parquet"
    frame = pd.read_parquet(path).melt(["id", "time"], var_name="sensor", value_name="value")
    frame = frame[(frame["sensor"] == "x") | (frame["id"] % 3 > 0)]
    frame.loc[frame["id"] == 7, "value"] = np.nan
    for day in (DAY, NEXT):
        (source / f"{day}.parquet").unlink()
    frame.to_parquet(path, index=False)
    options = {
        "column_kind": "sensor", "column_value": "value", "on_error": "nan", "on_nan": "quarantine",
    }  # fmt: skip
    run(source, table, {"fragile": None}, **options)
    failed = record(table).facts["failed_cells"]
    made = len(calls)
    after = {"mean": None, "fragile": None}
    run(source, table, after, "append", **options)
    assert (made > 0, failed > 0, len(calls)) == (True, True, made)
    assert_as_if_whole(source, table, tmp_path, after, **options)


def test_features_added_twice(source, table, tmp_path, monkeypatch):
    """Files have many small row groups, and rows are joined a few at a time."""
    monkeypatch.setattr(parts, "GROUP_CELLS", 20)
    monkeypatch.setattr(matrix, "TILE_BYTES", 300)
    run(source, table, {"maximum": None})
    run(source, table, BEFORE, "append", part_bytes=1_500)
    run(source, table, AFTER, "append")
    assert_as_if_whole(source, table, tmp_path)


def test_settings_that_say_the_same_of_the_kinds_that_there_are(source, table, tmp_path):
    features = tidemill.Settings.from_any(BEFORE).canonical()["*"]
    run(source, table, {"x": features, "y": features})
    assert state(request(source, table, BEFORE, "append")) == "extended"
    summary = run(source, table, BEFORE, "append")
    assert not summary.seconds_by_calculator
    assert_as_if_whole(source, table, tmp_path, BEFORE)


def test_a_record_without_rows_makes_it_whole(source, table, tmp_path):
    run(source, table, BEFORE)
    shutil.rmtree(table / "_delta_log")
    run(source, table, AFTER, "append")
    assert_as_if_whole(source, table, tmp_path)


# What readers see


def test_kinds_that_come_later_hide_no_column(tmp_path, table):
    """The columns of all intervals stay, whichever was written last."""
    folder = tmp_path / "in"
    folder.mkdir()
    for day, kinds in ((DAY, ["x"]), (NEXT, ["x", "y"])):
        frame = rows(day)[["id", "time", *kinds]].melt(["id", "time"], var_name="sensor")
        frame.to_parquet(folder / f"{day}.parquet", index=False)
    options = {"column_kind": "sensor", "column_value": "value"}
    run(folder, table, BEFORE, day=NEXT, **options)
    run(folder, table, BEFORE, **options)
    frame = tidemill.read_matrix(table)
    assert frame.isna().any(axis=None)
    assert frame.loc[NAME, "y__maximum"].isna().all()
    assert frame.loc["2026-11-19"].notna().all(axis=None)


def test_other_intervals_have_no_values_in_new_columns(source, table):
    run(source, table, BEFORE)
    run(source, table, BEFORE, day=NEXT)
    before = tidemill.read_matrix(table, NAME)
    run(source, table, AFTER, "append", day=NEXT)
    names = [
        "id", "x__maximum", "x__quantile__q_0.25", "y__maximum", "y__quantile__q_0.25",
        "x__quantile__q_0.75", "x__mean", "y__quantile__q_0.75", "y__mean", "interval",
    ]  # fmt: skip
    delta = deltalake.DeltaTable(table)
    assert [field.name for field in delta.schema().fields] == names
    frame = pa.table(delta.to_pyarrow_dataset().to_table()).to_pandas()
    assert frame.loc[frame["interval"] == NAME, "x__mean"].isna().all()
    assert frame.loc[frame["interval"] != NAME, "x__mean"].notna().all()
    settings = tidemill.Settings.from_any(AFTER).columns(["x", "y"])
    whole = tidemill.read_matrix(table)
    assert tuple(whole.columns) == settings
    assert whole.loc[NAME, "x__mean"].isna().all()
    one = tidemill.read_matrix(table, NAME)
    assert list(one.columns[:4]) == list(before.columns)
    pd.testing.assert_frame_equal(one[before.columns], before)
    assert one[one.columns[4:]].isna().all(axis=None)


# Ends in between


class EndedError(Exception):
    """The process is gone."""


def ended(*arguments, **options):
    raise EndedError


@pytest.mark.parametrize("where", ["publish", "write_interval"])
def test_a_run_that_ended_goes_on_from_its_parts(where, source, table, tmp_path, monkeypatch):
    """Before anything is published, and between that and the interval's record."""
    run(source, table, BEFORE, part_bytes=1_500)
    shown = tidemill.read_matrix(table, NAME)
    monkeypatch.setattr(reduction, where, ended)
    with pytest.raises(EndedError):
        run(source, table, AFTER, "append", part_bytes=2_300)
    monkeypatch.undo()
    if where == "publish":
        pd.testing.assert_frame_equal(tidemill.read_matrix(table, NAME), shown)
    assert state(request(source, table, AFTER, "append")) == "extended"
    version = deltalake.DeltaTable(table).version()
    summary = run(source, table, AFTER, "append")
    assert summary.parts["reused"] == summary.parts["total"] > 1
    published = deltalake.DeltaTable(table).version() - version
    assert published == (1 if where == "publish" else 0)
    assert_as_if_whole(source, table, tmp_path)


def test_parts_that_are_missing_are_made_of_the_same_rows(source, table, tmp_path, own_calculators):
    broken = [True]

    @calculator(version="1")
    def fragile(values):
        if broken[0] and abs(values[0] - last) < 1e-12:
            raise ValueError("broken")
        return values[0]

    last = rows(DAY).query("id == 29")["x"].iloc[0]
    after = {**AFTER, "fragile": None}
    run(source, table, BEFORE)
    with pytest.raises(CalculationError):
        run(source, table, after, "append", part_bytes=2_300)
    broken[0] = False
    summary = run(source, table, after, "append", part_bytes=2_300)
    assert 0 < summary.parts["reused"] < summary.parts["total"]
    assert_as_if_whole(source, table, tmp_path, after)


def test_a_part_that_may_be_poison_is_made_of_the_same_rows(source, table, tmp_path):
    """It is calculated in a process of its own, range by range."""
    run(source, table, BEFORE)
    about = request(source, table, AFTER, "append")
    with Job.open(about) as job:
        leave_dead_attempt(job.run, 0)
    extract_here(about, threads=1)
    assert_as_if_whole(source, table, tmp_path)


def test_rows_that_change_meanwhile_make_it_whole(source, table, tmp_path):
    run(source, table, BEFORE)
    about = request(source, table, AFTER, "append")
    assert state(about) == "extended"
    late = pd.DataFrame({"id": [3], "time": [pd.Timestamp(f"{DAY} 21:30")], "x": [9.0], "y": [1.0]})
    late.to_parquet(source / "late.parquet", index=False)
    summary = extract_here(about, threads=2)
    assert "maximum" in summary.seconds_by_calculator
    assert "new columns were calculated" not in summary.note
    assert summary.acceptance["changes"]["altered"]["ids"] == ["3"]
    assert_as_if_whole(source, table, tmp_path)


def test_rows_that_the_record_does_not_name_make_it_whole(source, table, tmp_path, monkeypatch):
    run(source, table, BEFORE)
    monkeypatch.setattr(reduction, "write_interval", ended)
    with pytest.raises(EndedError):
        run(source, table, {"minimum": None}, "recalculate")
    monkeypatch.undo()
    summary = run(source, table, AFTER, "append")
    assert "maximum" in summary.seconds_by_calculator
    assert_as_if_whole(source, table, tmp_path)


def alter(table):
    (path,) = table.glob("part-*.parquet")
    frame = pd.read_parquet(path)
    frame.loc[3, "x__maximum"] += 1.0
    frame.to_parquet(path, index=False)


def test_published_rows_that_were_altered_make_it_whole(source, table, tmp_path, caplog):
    run(source, table, BEFORE)
    alter(table)
    summary = run(source, table, AFTER, "append")
    assert "is calculated whole" in caplog.text
    assert "maximum" in summary.seconds_by_calculator
    assert_as_if_whole(source, table, tmp_path)


def test_published_rows_that_are_altered_in_mid_run_are_refused(source, table, monkeypatch):
    run(source, table, BEFORE)
    alter(table)
    monkeypatch.setattr("tidemill.planning.carryover._is_damaged", lambda *_: False)  # not yet
    version = deltalake.DeltaTable(table).version()
    with pytest.raises(SinkError, match=r"published rows of interval .* are not those"):
        run(source, table, AFTER, "append")
    assert deltalake.DeltaTable(table).version() == version
    assert not list((table / "_tidemill" / "keys").glob("*/parts/*.json"))


def test_ids_without_published_rows_are_named(source, table):
    run(source, table, BEFORE)
    about = request(source, table, AFTER, "append")
    plan, _ = prepare(about)
    store = SinkLayout.of(table).home
    kept = KeptRows(store, plan, plan.parts[0], ("x__mean", "y__mean"))
    ids, tile, missing = kept.join(pa.array([-1, 0, 4]), np.array([[1.0, 2], [3, 4], [5, 6]]))
    assert ids.to_pylist() == [0, 4]
    means = [plan.columns.index(name) for name in ("x__mean", "y__mean")]
    assert tile[:, means].tolist() == [[3, 4], [5, 6]]
    assert [(one.id, one.reason) for one in missing] == [(-1, MISSING)]
