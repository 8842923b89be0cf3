"""The help: nothing is cut short, every command is listed once, rare options come last."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from tidemill.cli.help import SECTIONS
from tidemill.cli.main import cli
from tidemill.planning.doors import DOORS


def shown(*words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"], terminal_width=100)
    assert result.exit_code == 0
    return result.output


def test_every_command_is_listed_once_with_its_whole_summary():
    text = shown()
    assert "..." not in text.partition("Calculate:")[2]
    flat = " ".join(text.split())
    for name, command in cli.commands.items():
        summary = " ".join(command.get_short_help_str(limit=1_000).split())
        assert f"{name} {summary}" in flat
        assert len(re.findall(rf"^  {name}(?= |$)", text, re.MULTILINE)) == 1
    assert "Other:" not in text, "each command has a heading"


def test_headings_name_no_command_twice():
    listed = [name for names in SECTIONS.values() for name in names]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", DOORS)
def test_options_stand_below_their_headings_and_rare_ones_last(name):
    text = shown(name)
    headings = re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE)
    assert headings[0] == ("Target" if name == "select" else "Columns")
    assert headings[-2:] == ["Options", "Rarely needed"]
    rare = text[text.index("Rarely needed:") :]
    for one in DOORS[name]:
        if one.name in {"source", "sink", "matrix"}:
            continue
        assert text.count(f"  {one.flag} ") + text.count(f"  {one.flag}\n") == 1
        assert (f"  {one.flag} " in rare) == one.group.startswith("Rarely")


def test_the_shell_completes_commands_and_options():
    from click.shell_completion import BashComplete

    complete = BashComplete(cli, {}, "tidemill", "_TIDEMILL_COMPLETE")
    assert {"extract", "extract-interval"} <= {
        one.value for one in complete.get_completions([], "ext")
    }
    assert [one.value for one in complete.get_completions(["extract"], "--on-n")] == ["--on-nan"]
    choices = complete.get_completions(["extract", "--on-nan"], "")
    assert [one.value for one in choices] == ["raise", "omit", "quarantine"]
