"""A flow's file as a script: its arguments are those of the command of its name."""

from __future__ import annotations

import runpy
import sys

__all__ = ["run_as_command"]


def run_as_command(name: str) -> None:
    """Run ``tidemill NAME`` with the arguments of this process."""
    sys.argv.insert(1, name)
    runpy.run_module("tidemill", run_name="__main__", alter_sys=False)
