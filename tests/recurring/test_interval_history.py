"""What is published of each interval, when, by which run, and with which warnings."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from tidemill.cli.main import cli
from tidemill.recurring.interval_history import interval_history
from tidemill.storage.delta import INTERVAL
from tidemill.storage.layout import SinkLayout

from ..support.daily import DAYS, NAMES, known, rows, run


@pytest.fixture
def published(source, table):
    """Two days, the second with a warning."""
    run(source, table, DAYS[0])
    rows(DAYS[1], ids=4).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    run(source, table, DAYS[1])
    return table


def history(table, newest=60):
    return interval_history(SinkLayout.of(table), newest)


def test_an_interval_is_told_as_it_was_published_last(published, source):
    newest, oldest = history(published).intervals
    record = known(published)[NAMES[1]]
    assert (newest.label, oldest.label) == (DAYS[1], DAYS[0])
    assert (newest.run_id, newest.digest) == (record.run_id, record.digest)
    assert (newest.ids, newest.input_rows, newest.nan_share) == (4, 96, 0.0)
    assert oldest.warnings == ()
    assert any("the rows fell from 5 to 4" in one for one in newest.warnings)
    rows(DAYS[1]).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    again = run(source, published, DAYS[1])
    assert (history(published).intervals[0].run_id, again.rows) == (again.run_id, 5)


def test_only_the_newest_are_read(published):
    assert [one.label for one in history(published, 1).intervals] == [DAYS[1]]


def test_warnings_of_a_run_without_a_record_are_not_known(published):
    SinkLayout.of(published).records.delete_all()
    assert [one.warnings for one in history(published).intervals] == [None, None]


def test_intervals_that_are_not_as_recorded_are_named(published):
    DeltaTable(published).delete(f"\"{INTERVAL}\" = '{NAMES[0]}'")
    (published / "_tidemill" / "intervals" / f"{NAMES[1]}.json").write_text("{}")
    found = history(published)
    assert [one.fault for one in found.intervals] == ["its rows are gone from the table"]
    assert found.faults == {
        DAYS[0]: "its rows are gone from the table",
        DAYS[1]: "its record is damaged",
    }


def test_inspect_shows_the_intervals_below_the_runs(published):
    shown = CliRunner().invoke(cli, ["inspect", str(published)])
    titles, newest, oldest = shown.output.splitlines()[-3:]
    assert titles.split()[:2] == ["interval", "published"]
    assert newest.startswith(DAYS[1])
    assert "the rows fell from 5 to 4" in newest
    assert oldest.endswith("none")


def test_inspect_shows_only_intervals_if_they_are_asked_for(published):
    asked = ["inspect", str(published), "--intervals", "1"]
    assert len(CliRunner().invoke(cli, asked).output.splitlines()) == 2
    (one,) = json.loads(CliRunner().invoke(cli, [*asked, "--json"]).output)
    assert (one["label"], one["ids"]) == (DAYS[1], 4)


def test_a_file_has_no_intervals(tmp_path):
    assert history(tmp_path / "matrix.parquet").intervals == ()
