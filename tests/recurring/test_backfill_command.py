"""Commands that a report names: each option of the run, quoted for a shell."""

from __future__ import annotations

import inspect
import shlex
from typing import Any

import pytest

from tidemill.cli.main import cli
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.model.interval import MOST_INTERVALS, Interval
from tidemill.planning.doors import BACKFILL
from tidemill.planning.request import make_request
from tidemill.recurring.backfill_command import fill_commands
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import find_interval

CALENDAR = Calendar("1d", "Europe/Berlin")
#: What ``tidemill backfill`` takes and a run for one interval has no word for.
OWN = {
    "source", "sink", "start", "end", "order", "concurrency", "dry_run", "recalculate", "as_json",
    "retry_quarantined", "debug", "log_format", "verbose",
}  # fmt: skip


@pytest.fixture
def request_of(tmp_path):
    def make(source="in", **options):
        sources = [tmp_path / name for name in ([source] if isinstance(source, str) else source)]
        return make_request(sources, tmp_path / "ta ble", column_id="id", **options)

    return make


def hole(day: str) -> Interval:
    return find_interval(CALENDAR, day)


def test_every_option_of_the_command_is_passed_on_but_those_of_its_own(request_of):
    """Given a value for each parameter, as the run's report is."""
    values = {one.name: _value_of(one) for one in BACKFILL}
    (command,) = fill_commands(request_of(), values, CALENDAR, [hole("2026-11-20")])
    flags = {word for word in shlex.split(command) if word.startswith("--")}
    options = {option.opts[0]: option.name for option in cli.commands["backfill"].params}
    wanted = {flag for flag, name in options.items() if flag.startswith("--") and name not in OWN}
    assert flags == wanted | {"--start", "--end"}


def _value_of(parameter):
    """Some value that is not empty."""
    type_ = parameter.forms[0].type
    values = {bool: True, int: 7, float: 7.5, dict[str, str]: {"a": "B"}, dict[str, Any]: {"a": {}}}
    return values.get(type_, ["a"] if type_ == list[str] else "a")


@pytest.mark.parametrize("flow", [extract, extract_interval, backfill])
def test_defaults_of_a_command_are_those_of_its_flow(flow):
    """Or a table that was made by the one would be refused by the other."""
    defaults = {name: one.default for name, one in inspect.signature(flow.fn).parameters.items()}
    options = {option.name: option.default for option in cli.commands[flow.name].params}
    named = {name for name, value in options.items() if isinstance(value, str | int | float)}
    shared = named & defaults.keys()
    assert "on_nan" in shared
    assert {name: options[name] for name in shared} == {name: defaults[name] for name in shared}


def test_values_survive_the_shell(request_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("mean:\n")
    given = {
        "column_id": ["plant", "pump's"], "settings": "mine.yaml", "window": None, "modules": [],
        "storage_options": {"aws_region": "REGION", "aws_secret_access_key": "SECRET"},
        "checks": {"rows_drop": {"fail": 0.3}}, "cluster": "tcp://host:8786", "lookback": 3,
    }  # fmt: skip
    (command,) = fill_commands(request_of(["a", "b;c"]), given, CALENDAR, [hole("2026-11-18")])
    assert shlex.split(command) == [
        "tidemill", "backfill", f"{tmp_path}/a", f"{tmp_path}/b;c", f"{tmp_path}/ta ble",
        "--column-id", "plant", "--column-id", "pump's", "--settings", f"{tmp_path}/mine.yaml",
        "--checks", '{"rows_drop": {"fail": 0.3}}', "--cluster", "tcp://host:8786",
        "--storage-option", "aws_region=REGION",
        "--storage-option", "aws_secret_access_key=SECRET",
        "--start", "2026-11-18T00:00:00+01:00", "--end", "2026-11-19T00:00:00+01:00",
    ]  # fmt: skip


def test_one_command_spans_all_holes_unless_they_are_too_many(request_of):
    holes = [hole("2026-10-20"), hole("2026-11-18")]
    (command,) = fill_commands(request_of(), {}, CALENDAR, holes)
    assert shlex.split(command)[-4:] == [
        "--start", "2026-10-20T00:00:00+02:00", "--end", "2026-11-19T00:00:00+01:00",
    ]  # fmt: skip
    hourly, hour = Calendar("1h"), 3_600 * 10**9
    far = [Interval(start, start + hour, start) for start in (0, hour, MOST_INTERVALS * hour)]
    texts = [shlex.split(one)[-3::2] for one in fill_commands(request_of(), {}, hourly, far)]
    assert [text[0][:13] for text in texts] == ["1970-01-01T00", "1981-05-29T16"]
    assert texts[0][1][:13] == "1970-01-01T02"
    assert fill_commands(request_of(), {}, CALENDAR, []) == []
