"""A flow's file is a script with the arguments of its command."""

from __future__ import annotations

import sys

from tidemill.orchestration.scripts import run_as_command


def test_the_name_of_the_command_comes_first(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["flows/backfill.py", "--help"])
    run_as_command("backfill")
    assert "INPUT... OUTPUT" in capsys.readouterr().out
