"""Demo inputs: the bundled file, and buoys whose days are the same whenever they are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tidemill.data import demo_path
from tidemill.errors import ArgumentError, SourceError
from tidemill.sources.demo_data import BUOYS, SEA_SURFACE, buoys_folder, demo_location

DAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TIDEMILL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def states(folder: Path) -> dict[str, tuple[int, int]]:
    return {one.name: (one.stat().st_ino, one.stat().st_mtime_ns) for one in folder.iterdir()}


def test_the_urls_stand_for_a_file_and_a_folder(cache):
    assert demo_location(SEA_SURFACE) == str(demo_path())
    assert demo_location(BUOYS) == str(cache / "demo/buoys")
    assert demo_location("readings/*.csv") == "readings/*.csv"


def test_an_unknown_demo_is_refused_with_the_known_ones():
    with pytest.raises(ArgumentError, match=r"'demo://ships' .*sea-surface-.* and demo://buoys"):
        demo_location("demo://ships")


def test_the_last_whole_day_is_yesterday_and_today_is_there():
    names = sorted(one.stem for one in buoys_folder().iterdir())
    today = datetime.now(UTC).date()
    assert str(today - timedelta(1)) in names
    assert names[-1] in {str(today), str(today + timedelta(1))}  # midnight may have passed
    assert len(names) == 398


def test_a_day_is_whole_and_its_rows_are_those_of_the_record():
    table = pq.read_table(buoys_folder(DAY) / f"{DAY}.parquet").to_pandas()
    assert table.columns.tolist() == ["buoy", "time", "temperature"]
    assert (table.groupby("buoy")["time"].nunique() == 48).all()
    assert table["buoy"].nunique() == 6
    assert set(table["time"].dt.date) == {DAY}
    assert table["time"].dt.tz is None
    record = pq.read_table(demo_path())["temperature"].to_numpy().reshape(-1, 48)
    for _, buoy in table.groupby("buoy"):
        assert (record == buoy["temperature"].to_numpy()).all(axis=1).any()


def test_days_of_the_past_stay_as_they_are_as_days_pass():
    before = states(buoys_folder(DAY))
    later = states(buoys_folder(DAY + timedelta(3)))
    assert len(later) == len(before) == 398
    assert {name: later[name] for name in before.keys() & later.keys()} == {
        name: before[name] for name in sorted(before)[3:]
    }


def test_a_day_is_the_same_on_another_machine_at_another_time(cache, monkeypatch, tmp_path):
    first = (buoys_folder(DAY) / f"{DAY}.parquet").read_bytes()
    monkeypatch.setenv("TIDEMILL_CACHE_DIR", str(tmp_path / "other"))
    folder = buoys_folder(DAY + timedelta(100))
    assert folder.parents[1] == tmp_path / "other"
    assert (folder / f"{DAY}.parquet").read_bytes() == first


def test_the_record_begins_again_after_its_last_day():
    last = DAY + timedelta(398)
    both = [pq.read_table(buoys_folder(day) / f"{day}.parquet") for day in (DAY, last)]
    first, again = (np.array(table["temperature"]) for table in both)
    assert np.array_equal(first, again)


def test_processes_that_write_at_once_leave_one_whole_file_each():
    with ThreadPool(4) as pool:
        (folder, *_) = set(pool.map(lambda _: buoys_folder(DAY), range(8)))
    assert all(pq.read_metadata(one).num_rows == 288 for one in folder.glob("*.parquet"))
    assert len(list(folder.iterdir())) == 398


def test_without_a_folder_to_write_the_remedy_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for name in ("TIDEMILL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with pytest.raises(SourceError, match=r"cannot be written .* TIDEMILL_CACHE_DIR"):
        buoys_folder(DAY)
