"""The lock under which one process of a host fills the folder of compiled kernels.

Its owner may be stopped, or gone on another host that shares the folder. So whoever waits watches
the files that the owner produces, and compiles without the lock when there are no new ones for a
while. That is safe: each file is replaced in one step and compared with a checksum before it is
loaded; the worst that happens is that a kernel is compiled twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tidemill.calculators.jit.cache import LOCK, give_up
from tidemill.calculators.jit.ready_files import sweep
from tidemill.model.logs import engine_log

__all__ = ["PATIENCE", "filling", "stalled"]

#: Seconds without a new file after which the owner of the lock counts as stopped. A kernel takes
#: 0.3 to 5 s to compile.
PATIENCE = 60.0

_log = engine_log(__name__)
_overtaken: set[Path] = set()  # folders whose owner was waited for in vain: not once per kernel


@contextmanager
def filling(folder: Path | None) -> Iterator[None]:
    """Compile kernels while the block runs, alone if the owner of the lock makes that possible."""
    if folder is None:
        yield
        return
    lock = FileLock(folder / LOCK)
    owned = _acquire(lock, folder)
    try:
        if owned:
            sweep(folder)
        yield
    finally:
        if owned:
            lock.release()


def _acquire(lock: FileLock, folder: Path) -> bool:
    """Whether the lock is held now; it is not if its owner stands still."""
    stands_still = stalled(folder)
    while True:
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            if folder in _overtaken or stands_still():
                break
        except (OSError, NotImplementedError) as error:
            give_up(folder, error)
            return False
        else:
            _overtaken.discard(folder)
            return True
    if folder not in _overtaken:
        _overtaken.add(folder)
        _log.warning(
            "another process has been compiling kernels into %s without a result for %.0f s; it "
            "may be stopped, so this process compiles them for itself",
            folder,
            PATIENCE,
        )
    return False


def stalled(folder: Path) -> Callable[[], bool]:
    """A function that tells whether no kernel was stored for :data:`PATIENCE` seconds."""
    seen, since = _stored(folder), time.monotonic()

    def look() -> bool:
        nonlocal seen, since
        now = _stored(folder)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= PATIENCE

    return look


def _stored(folder: Path) -> frozenset[tuple[str, int]]:
    found = []
    for path in folder.rglob("*.nb?"):
        try:
            found.append((path.name, path.stat().st_mtime_ns))
        except OSError:  # replaced since the listing
            continue
    return frozenset(found)
