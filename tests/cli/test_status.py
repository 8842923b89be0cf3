"""``tidemill status``: what it prints, its JSON, and when it ends with status 1."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from prefect.settings import PREFECT_API_URL, temporary_settings

from tidemill.cli.main import cli
from tidemill.storage.layout import SinkLayout

from ..support.daily import DAYS, run, source, table

__all__ = ["source", "table"]


@pytest.fixture(autouse=True)
def _no_server():
    """Whichever server other tests of this process use."""
    with temporary_settings({PREFECT_API_URL: None}):
        yield


def status(*arguments):
    return CliRunner().invoke(cli, ["status", *map(str, arguments)])


@pytest.fixture
def published(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[2])
    return table


def test_one_table_is_shown_in_full(published):
    shown = status(published)
    assert shown.exit_code == 0, shown.output
    assert f"Last good        {DAYS[2]}: 5 ids from 120 input rows" in shown.output
    assert f"Holes            1 without rows: {DAYS[1]}" in shown.output
    assert "not known: no Prefect server is configured (PREFECT_API_URL)" in shown.output


def test_several_tables_are_a_line_each_and_one_that_is_missing_fails(published, tmp_path):
    shown = status(published, tmp_path / "none")
    assert shown.exit_code == 1
    titles, first, second = shown.stdout.splitlines()
    assert titles.startswith("table")
    assert DAYS[2] in first
    assert "nothing is published here, and no run has worked on it" in second
    assert "Last good" in status(published, published, "--verbose").output


def test_a_table_that_is_too_old_ends_with_status_1(published):
    for age, code in (("1min", 1), ("30000d", 0)):
        shown = status(published, "--max-age", age)
        assert shown.exit_code == code
        assert ("the last good rows are" in shown.stderr) == bool(code)


def test_everything_is_in_the_json(published):
    shown = status(published, "--json", "--max-age", "1s")
    found = json.loads(shown.stdout)
    (one,) = found["tables"]
    assert found["server"] == {"url": "", "fault": ""}
    assert one["good"]["label"] == DAYS[2]
    assert one["holes"] == {"count": 1, "labels": [DAYS[1]]}
    assert "more than" in one["fault"]
    assert one["runs"] == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--max-age", "soon"], "--max-age='soon' is not allowed"),
        (["--max-age", "0s"], "--max-age='0s' is not allowed"),
    ],
)
def test_wrong_arguments_are_a_sentence(given, told, command, published):
    code, printed = command("status", published, *given)
    assert code == 1
    assert told in printed
    assert "Traceback" not in printed


def test_a_damaged_record_is_named(published):
    layout = SinkLayout.of(published)
    layout.intervals.write(layout.intervals.folder()[0][-1].path, b"{}")
    shown = status(published)
    assert f"Not as recorded  {DAYS[2]}: its record is damaged" in shown.output
    assert f"Last good        {DAYS[0]}" in shown.output


def test_tables_on_object_storage(source, s3):
    url, options, _ = s3
    run(source, f"{url}/table", DAYS[0], storage_options=options)
    given = [f"--storage-option={name}={variable}" for name, variable in options.items()]
    shown = status(f"{url}/table", *given)
    assert shown.exit_code == 0, shown.output
    assert f"Last good        {DAYS[0]}" in shown.output


def test_gauges_are_written_in_one_step_also_of_a_table_that_fails(published, tmp_path):
    path = tmp_path / "tidemill.prom"
    path.write_text("old")
    assert status(published, tmp_path / "none", "--metrics", path).exit_code == 1
    lines = path.read_text().splitlines()
    assert f'tidemill_ids{{table="{published}"}} 5' in lines
    assert f'tidemill_input_rows{{table="{published}"}} 120' in lines
    assert f'tidemill_readable{{table="{tmp_path / "none"}"}} 0' in lines
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.glob(".tidemill-*")] == []


def test_gauges_that_cannot_be_written_are_an_error(published, tmp_path):
    shown = status(published, "--metrics", tmp_path / "absent" / "tidemill.prom")
    assert isinstance(shown.exception, FileNotFoundError)
