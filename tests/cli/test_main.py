"""The command ``tidemill``: subcommands, exit codes, and the line that an error becomes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tidemill import __version__
from tidemill.cli.main import cli


def test_these_are_the_subcommands():
    assert sorted(cli.commands) == [
        "backfill", "clean", "cluster", "costs", "demo", "deploy", "drop-intervals", "extract",
        "extract-interval", "features", "init", "inspect", "plan", "report", "select", "status",
        "up", "verify", "warmup",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_subcommand_explains_itself(name):
    shown = CliRunner().invoke(cli, [name, "--help"])
    assert shown.exit_code == 0
    about = shown.output.split("\n\n")[1].strip()
    assert about.endswith((".", "differed.", "left alone."))


def test_the_package_is_the_command():
    ran = subprocess.run(
        [sys.executable, "-m", "tidemill", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, f"tidemill, version {__version__}")


def test_an_expected_error_is_one_line(command, tmp_path):
    code, printed = command("inspect", tmp_path / "nothing")
    assert code == 1
    (line,) = printed.splitlines()
    assert line.startswith("ArgumentError: ")
    assert "has no run record; nothing was extracted into it yet" in line


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_the_traceback_of_an_error_is_shown_if_it_is_asked_for(as_json, command, tmp_path):
    code, printed = command("inspect", tmp_path / "nothing", "--debug", *as_json)
    *above, line = printed.splitlines()
    assert (code, above[0]) == (1, "Traceback (most recent call last):")
    assert line.startswith("ArgumentError: ")
    assert "Traceback" not in command("inspect", tmp_path / "nothing")[1]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_subcommand_can_show_tracebacks(name):
    assert "--debug" in CliRunner().invoke(cli, [name, "--help"]).output


def test_a_wrong_option_is_a_usage_error(command):
    code, printed = command("extract", "--no-such-option")
    assert code == 2
    assert "No such option" in printed
    assert "--no-such-option" in printed


def test_features_are_listed_as_json():
    shown = CliRunner().invoke(cli, ["features", "--json"])
    names = {row["name"] for row in json.loads(shown.output)}
    assert {"mean", "quantile", "approximate_entropy"} <= names
