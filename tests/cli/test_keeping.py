"""``tidemill clean`` and ``drop-intervals``: what they print, and what they refuse."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import tidemill
from tidemill.cli.main import cli

from ..support.ages import age
from ..support.daily import DAYS, run, source, table

__all__ = ["source", "table"]


@pytest.fixture
def published(source, table):
    for day in DAYS:
        run(source, table, day)
    return table


def drop(*arguments):
    return CliRunner().invoke(cli, ["drop-intervals", *map(str, arguments)])


def test_it_says_what_it_would_drop_and_what_it_dropped(published):
    shown = drop(published, "--before", DAYS[2], "--dry-run")
    assert f"would drop 2 intervals, {DAYS[0]} to {DAYS[1]}: 10 rows" in shown.output
    assert len(tidemill.read_matrix(published)) == 15
    found = json.loads(drop(published, "--before", DAYS[2], "--json").output)
    assert (found["intervals"], found["rows"], found["dry_run"]) == (2, 10, False)
    assert len(tidemill.read_matrix(published)) == 5
    assert "no interval ends by" in drop(published, "--before", DAYS[2]).output


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (["--before", "soon"], 1, "--before='soon' is not allowed: give a local time such as"),
        (["--before", "2030-01-01"], 1, "one must stay"),
        ([], 2, "Missing option '--before'"),
    ],
)
def test_wrong_times_are_a_sentence(given, code, told, published, command):
    ended, printed = command("drop-intervals", published, *given)
    assert (ended, told in printed) == (code, True)
    assert "Traceback" not in printed


def test_a_path_without_intervals_is_a_sentence(command, tmp_path):
    code, printed = command("drop-intervals", tmp_path / "none", "--before", DAYS[0])
    assert code == 1
    assert "has no intervals to drop" in printed


def test_clean_says_what_it_would_remove_and_what_it_removed(published):
    asked = ["clean", str(published)]
    assert "nothing to remove" in CliRunner().invoke(cli, asked).output
    age(published, 40)
    dry = json.loads(CliRunner().invoke(cli, [*asked, "--dry-run", "--json"]).output)
    shown = CliRunner().invoke(cli, asked)
    assert shown.exit_code == 0
    files = dry["total"]["files"]
    assert f"removed {files} files" in shown.output
    assert "leases" in shown.output
    assert CliRunner().invoke(cli, [*asked, "--keep", "1h"]).exit_code == 0
    assert len(tidemill.read_matrix(published)) == 15


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--keep", "soon"], "--keep='soon' is not allowed; give a duration above zero"),
        (["--keep", "1min"], "--keep='1min' is not allowed; give 1h or more"),
    ],
)
def test_wrong_times_to_keep_are_a_sentence(given, told, published, command):
    code, printed = command("clean", published, *given)
    assert (code, told in printed) == (1, True)


def test_a_path_without_anything_is_not_cleaned(command, tmp_path):
    code, printed = command("clean", tmp_path)
    assert code == 1
    assert "holds nothing of tidemill, so there is nothing to clean" in printed
