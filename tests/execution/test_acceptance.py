"""What is measured and checked before an interval is published, and what it changes."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.errors import (
    CheckError,
)
from tidemill.execution import acceptance
from tidemill.execution.drift import Figures
from tidemill.execution.in_process import extract_here
from tidemill.recurring.intervals import find_interval
from tidemill.reports.text import history_text
from tidemill.storage import intervals
from tidemill.storage.intervals import read_figures
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.daily import (
    DAILY,
    DAYS,
    known,
    request,
    run,
)


def test_ids_that_come_and_go_are_named(source, table):
    run(source, table, DAYS[1])
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    frame = frame[frame["id"] != 0].replace({"id": {4: 7}})
    frame.to_parquet(path, index=False)
    changes = run(source, table, DAYS[1]).acceptance["changes"]
    assert changes["added"]["ids"] == ["7"]
    assert changes["removed"]["ids"] == ["0", "4"]
    assert changes["altered"]["count"] == 0


@pytest.mark.parametrize("how", ["ids twice", "text for numbers"])
def test_rows_that_another_writer_made_are_replaced_without_a_comparison(
    how, source, table, caplog
):
    wanted = run(source, table, DAYS[1]).digest
    (path,) = table.glob("part-*.parquet")
    rows = pd.read_parquet(path)
    if how == "ids twice":
        rows = pd.concat([rows, rows])
    else:
        rows = rows.astype({name: str for name in rows.columns if name != "id"})
    rows.to_parquet(path, index=False)
    again = run(source, table, DAYS[1], recalculates="a test asks for it")
    assert again.digest == wanted
    if how == "ids twice":
        assert again.acceptance["changes"] == {}
        assert "hold ids more than once: its ids are not compared" in caplog.text
    else:
        assert again.acceptance["changes"]["altered"]["count"] == 0


def test_all_ids_of_a_new_interval_are_added_and_the_first_named(source, table, monkeypatch):
    monkeypatch.setattr(acceptance, "NAMED", 3)
    changes = run(source, table, DAYS[0], part_bytes=500).acceptance["changes"]
    assert changes["added"] == {"count": 5, "ids": ["0", "1", "2"]}
    assert changes["removed"] == changes["altered"] == {"count": 0, "ids": []}


def test_the_figures_of_columns_are_those_of_the_matrix(source, table):
    """However many parts they lie in; features that moved are those of the interval before."""
    run(source, table, DAYS[0])
    assert known(table)["20261117T000000Z"].facts["nan_cells"] == 0
    features = run(source, table, DAYS[1], part_bytes=500).acceptance["features"]
    found = Figures.from_bytes(read_figures(SinkLayout.of(table), known(table)["20261118T000000Z"]))
    old, new = (tidemill.read_matrix(table, f"{day.replace('-', '')}T000000Z") for day in DAYS[:2])
    assert found.columns == tuple(new.columns)
    np.testing.assert_allclose(found.mean, new.mean(), rtol=1e-14)
    np.testing.assert_allclose(found.spread, new.std(ddof=0), rtol=1e-9, atol=1e-15)
    apart = (new.mean() - old.mean()).abs() / old.std(ddof=0)
    assert features["moved"][0]["feature"] == apart.idxmax()
    assert features["before"] == "2026-11-17"


def test_a_failed_check_leaves_the_rows_of_before(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    before = tidemill.read_matrix(table)
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    frame[frame["id"] < 2].to_parquet(path, index=False)
    with pytest.raises(CheckError, match=r"the rows fell from 5 to 2, by 60%.*the previous rows"):
        run(source, table, DAYS[1])
    pd.testing.assert_frame_equal(tidemill.read_matrix(table), before)
    (failed,) = [one for one in history(SinkLayout.of(table)) if one.state == "failed"]
    assert "fell from 5 to 2" in failed.message
    summary = run(source, table, DAYS[1], checks={"rows_drop": "off"})
    assert summary.rows == 2


def test_what_failed_a_check_is_recorded(source, table):
    """Whoever is called at night sees what was wrong, though nothing of it was published."""
    run(source, table, DAYS[0])
    frame = pd.read_parquet(source / f"{DAYS[1]}.parquet")
    frame.loc[3, "x"] = np.nan
    frame.to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    strict = {"quarantined_series": {"fail": 0}}
    with pytest.raises(CheckError, match="1 of 5 series quarantined") as raised:
        run(source, table, DAYS[1], on_nan="quarantine", checks=strict)
    (failed, _) = history(SinkLayout.of(table))
    accepted = failed.acceptance
    assert accepted["facts"]["rows"] == 4
    assert accepted["measures"]["quarantined_series"]["figure"] == 1
    assert [(one["check"], one["level"]) for one in accepted["checks"]] == [
        ("quarantined_series", "fail"), ("rows_drop", "warn"),
    ]  # fmt: skip
    assert accepted["features"]["before"] == DAYS[0]
    assert accepted["features"]["moved"]
    assert [one.id for one in failed.quarantined] == ["3"]
    assert failed.quarantined_since == {"new": 1}
    assert pickle.loads(pickle.dumps(raised.value)).found == raised.value.found  # noqa: S301


def test_a_warning_is_recorded(source, table):
    frame = pd.read_parquet(source / f"{DAYS[0]}.parquet")
    frame.loc[3, "x"] = np.nan
    frame.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    (finding,) = run(source, table, DAYS[0], on_nan="quarantine").acceptance["checks"]
    assert (finding["check"], finding["level"], finding["figure"]) == (
        "quarantined_series",
        "warn",
        1,
    )


def test_columns_that_are_no_longer_made_stay(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    first = tidemill.read_matrix(table, "20261117T000000Z")
    about = request(
        source, table, DAYS[1], on_settings_change="recalculate", on_nan="omit",
        settings={"skewness": None, "maximum": None},
    )  # fmt: skip
    summary = extract_here(about, threads=2)
    assert "features left out" in summary.acceptance["settings_change"]
    assert "on_nan='omit' instead of 'raise'" in summary.acceptance["settings_change"]
    assert summary.note == "the settings changed, and all columns were calculated"
    assert summary.acceptance["changes"]["altered"]["count"] == 0
    second = tidemill.read_matrix(table, "20261118T000000Z")
    assert list(second.columns[:2]) == ["x__skewness", "x__maximum"]
    assert second.columns[second.notna().any()].tolist() == ["x__skewness", "x__maximum"]
    again = tidemill.read_matrix(table, "20261117T000000Z")
    pd.testing.assert_frame_equal(again[first.columns], first)
    assert again["x__skewness"].isna().all()
    whole = tidemill.read_matrix(table)
    assert (len(whole), set(whole.columns)) == (10, set(second.columns))


def test_the_interval_before_is_found_without_reading_later_ones(source, table, monkeypatch):
    for day in DAYS:
        run(source, table, day)
    read, real = [], intervals._read
    monkeypatch.setattr(intervals, "_read", lambda *a: read.append(a[1]) or real(*a))
    second = find_interval(DAILY, DAYS[1])
    found = intervals.latest_interval(SinkLayout.of(table), second)
    assert found.name == "20261117T000000Z"
    assert read == [found.name]


def test_columns_that_come_and_go_are_named(source, table):
    first = run(source, table, DAYS[0])
    assert first.acceptance["columns"] == {"new": [], "vanished": []}
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    frame.rename(columns={"x": "humidity"}).to_parquet(path, index=False)
    other = source.parent / "other"
    other.mkdir()
    path.rename(other / path.name)
    summary = run(other, table, DAYS[1], on_settings_change="recalculate")
    assert summary.acceptance["columns"] == {"new": ["humidity"], "vanished": ["x"]}
    runs = history(SinkLayout.of(table))  # both may have begun in the same second
    text = history_text(table, [one for one in runs if one.run_id == summary.run_id])
    assert "new columns: humidity; vanished columns: x" in text


def test_files_that_were_left_out_are_counted_and_named(source, table):
    run(source, table, DAYS[0])
    (source / "broken.parquet").write_bytes(b"PAR1 not really")
    summary = run(source, table, DAYS[1], on_bad_file="quarantine", checks={"bad_files": "off"})
    bad = summary.acceptance["measures"]["bad_files"]
    assert 0 < bad["figure"] < 1
    assert known(table)["20261118T000000Z"].facts["bad_files"] == 1
    warned = run(source, table, DAYS[1], on_bad_file="quarantine", recalculates="again",
                 checks={"bad_files": {"fail": "off"}})  # fmt: skip
    (finding,) = warned.acceptance["checks"]
    assert (finding["check"], finding["level"]) == ("bad_files", "warn")
    assert "and was left out: broken.parquet;" in finding["sentence"]
