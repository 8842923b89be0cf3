"""Command lines of files that are shown: the programs, subcommands and options have to exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache

from .programs import BIN

#: How many words name the command.
NAMES = {"prefect": 3, "dask": 2, "tidemill": 2}


@cache
def options_of(*names: str) -> frozenset[str]:
    """The options that a command's help names."""
    done = subprocess.run(
        [BIN / names[0], *names[1:], "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{names}: {done.stderr}"
    return frozenset(re.findall(r"(?<!\S)--[a-z][\w-]*", done.stdout))


def check_words(words: Sequence[object]) -> None:
    """Fail if there is no such command, or if it does not have the options."""
    said = [str(word) for word in words]
    names, rest = said[: NAMES[said[0]]], said[NAMES[said[0]] :]
    used = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert used <= options_of(*names), f"{' '.join(names)}: {used - options_of(*names)}"
