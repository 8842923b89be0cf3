"""Temporary folders that belong to a process, and the removal of those whose process is gone.

The owner holds a lock on a file in its folder for as long as it lives. The system lets go of the
lock when the process ends, however it ends, so nobody has to look up processes, which another
container that shares the temporary folder could not do. Only the standard library is imported: the
guard of a run loads this file without the package.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

#: None where there is no such module: folders are removed by their owners alone.
fcntl: Any = import_module("fcntl") if os.name == "posix" else None

__all__ = ["PREFIXES", "own_folder", "sweep"]

#: How the names of all such folders begin.
PREFIXES = ("tidemill-dask-", "tidemill-compile-")
_OWNER = "owner.lock"
_UNOWNED_SECONDS = 24 * 3600.0  # a folder without a lock is younger than that while it is made


@contextlib.contextmanager
def own_folder(prefix: str, parent: str | None = None) -> Iterator[str]:
    """A temporary folder that is removed at the end of the block, or swept if that never comes.

    Those of processes that are gone are swept first.

    Parameters
    ----------
    prefix : one of :data:`PREFIXES`
    parent : where it is made; by default the system's temporary folder
    """
    sweep(parent or tempfile.gettempdir())
    with (
        tempfile.TemporaryDirectory(
            prefix=prefix, dir=parent, ignore_cleanup_errors=True
        ) as folder,
        _locked(Path(folder)),
    ):
        yield folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the file gets its name when it is locked already."""
    being_made = folder / f"{_OWNER}.new"
    with being_made.open("w") as file:
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                being_made.rename(folder / _OWNER)
        yield


def sweep(parent: str) -> None:
    """Remove the folders of processes that are gone; errors leave a folder where it is."""
    for prefix in PREFIXES:
        with contextlib.suppress(OSError):
            for folder in Path(parent).glob(f"{prefix}*"):
                if _is_left(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Whether its owner is gone; a folder that has no lock is left once it is old."""
    if fcntl is None:
        return False
    try:
        with (folder / _OWNER).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        return _is_old(folder)
    except OSError:  # somebody holds it, or it is another user's
        return False


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _UNOWNED_SECONDS
    except OSError:
        return False
