"""Files that were written long ago."""

from __future__ import annotations

import os
import time
from pathlib import Path

DAY = 86_400.0


def age(folder: Path, days: float) -> None:
    """Let all files below a folder, or one file, be so many days old."""
    moment = time.time() - days * DAY
    for path in [folder, *folder.rglob("*")]:
        if path.is_file():
            os.utime(path, (moment, moment))


def files(folder: Path) -> set[str]:
    """The paths of all files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
