from dataclasses import replace

import pytest

from tidemill.cli.forecast import forecast
from tidemill.errors import ArgumentError, NoRowsError, SourceError
from tidemill.model.interval import Interval
from tidemill.model.policies import Policies
from tidemill.planning.prepare import prepare, validate_request
from tidemill.planning.request import make_request
from tidemill.planning.snapshots import check_columns, drop_source, take_snapshot

from ..support.databases import MAKERS, START, make_sqlite, rows


@pytest.fixture(params=MAKERS)
def request_of(request, tmp_path):
    def make(**more):
        url = MAKERS[request.param](tmp_path / "plant.db", rows(500))
        made = make_request(
            url, tmp_path / "out", settings="minimal", column_id="id", column_sort="t",
            column_value="x", table="m",
        )  # fmt: skip
        return replace(made, **more)

    return make


def test_a_checked_request_has_its_rows_and_reads_them_once(request_of, tmp_path):
    checked = validate_request(request_of())
    (tmp_path / "plant.db").unlink()
    plan, _ = prepare(checked)
    assert plan.source.rows == 500
    drop_source(plan.source)
    assert not (tmp_path / "out/_tidemill/snapshots").exists()


def test_the_snapshot_lies_in_the_work_folder_if_there_is_one(request_of, tmp_path):
    source = take_snapshot(request_of(work_dir=str(tmp_path / "work")))
    assert source.url.startswith(str(tmp_path / "work/snapshots/"))
    drop_source(source)
    assert not (tmp_path / "work/snapshots").exists()


def test_a_forecast_leaves_nothing_behind(request_of, tmp_path):
    figures = forecast(request_of(), "none")
    assert (figures.rows, figures.source.endswith("plant.db")) == (500, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("choice", ["first", "keep", "last"])
def test_the_first_of_several_rows_is_not_known(request_of, choice):
    request = request_of(policies=Policies(on_duplicate=choice))
    with pytest.raises(ArgumentError, match=f"on_duplicate='{choice}' .* have no order"):
        take_snapshot(request)


def test_the_time_column_goes_by_its_name(tmp_path):
    url = make_sqlite(tmp_path / "plant.db", rows(5))
    interval = Interval(START, START + 10**9, START)
    made = make_request(url, tmp_path / "out", column_id="id", column_sort="when", table="m")
    request = replace(made, interval=interval)
    for look in (take_snapshot, check_columns):
        with pytest.raises(SourceError, match=r"^column_time='when' is not a column"):
            look(request)


def test_a_window_without_rows_leaves_nothing(request_of, tmp_path):
    interval = Interval(START - 2 * 10**9, START - 10**9, START - 2 * 10**9)
    with pytest.raises(NoRowsError, match=r"plant.db \(table 'm'\) has no row in the window"):
        prepare(request_of(interval=interval))
    assert not (tmp_path / "out/_tidemill/snapshots").exists()
