"""The fixtures that version 0.1.0 left: copies of them to go on with."""

from __future__ import annotations

import json
import shutil
from os import utime
from pathlib import Path

from ..fixtures.make_fixtures import FIXTURES

EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
TABLE = EXPECTED["table"]


def copied(name: str, folder: Path) -> Path:
    """A copy of some fixtures, whose inputs have the times that they had in the runs."""
    copy = shutil.copytree(FIXTURES / name, folder / name)
    for path in [*copy.glob("input/*"), *copy.glob("input.*")]:
        utime(path, ns=(EXPECTED["mtime_ns"], EXPECTED["mtime_ns"]))
    return copy
