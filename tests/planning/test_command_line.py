"""Commands to paste: they parse to the values that they were made from."""

from __future__ import annotations

import shlex

import pytest

from tidemill.cli.main import cli
from tidemill.cli.options import given_of
from tidemill.planning.command_line import command_line
from tidemill.planning.doors import BACKFILL, DOORS, EXTRACT, EXTRACT_INTERVAL, SELECT

REQUIRED = {"source": "in file.csv", "sink": "out", "column_id": "id", "column_time": "time"}
SPAN = {"start": "2026-11-20", "end": "2026-11-21"}
TARGET = {"matrix": "pumps", "target": "/worn.csv", "column_target": "worn"}


def parsed(door, command):
    """What the command makes of its words."""
    program, name, *words = shlex.split(command)
    assert (program, name) == ("tidemill", door.name)
    context = cli.commands[name].make_context(name, words)
    return given_of(door, context.params)


def required(door):
    known = {**REQUIRED, **SPAN, **TARGET}
    return {one.name: known[one.name] for one in door if one.is_required}


@pytest.mark.parametrize("door", DOORS.values(), ids=lambda door: door.name)
def test_defaults_are_left_out_and_come_back(door):
    given = door.complete(required(door))
    command = command_line(door, given)
    assert "--cluster" not in command
    assert parsed(door, command) == given


@pytest.mark.parametrize(
    ("door", "more"),
    [
        (EXTRACT, {"column_id": ["a", "b c"], "storage_options": {"key": "VARIABLE"}}),
        (EXTRACT, {"settings": {"mean": None}, "modules": ["one", "two"]}),
        (EXTRACT_INTERVAL, {"recalculate": True, "every": "1h", "interval_start": "2026-11-20"}),
        (BACKFILL, {"dry_run": True, "concurrency": 3, "source": ["a", "b"]}),
        (SELECT, {"interval": "2026-11-01/", "multiclass": True, "column_id": ["a", "b"]}),
    ],
)
def test_values_come_back(door, more):
    given = door.complete({**required(door), **more})
    assert parsed(door, command_line(door, given)) == given


def test_paths_of_settings_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("mean:\n")
    given = EXTRACT.complete({**required(EXTRACT), "settings": "mine.yaml"})
    assert str(tmp_path / "mine.yaml") in command_line(EXTRACT, given)
