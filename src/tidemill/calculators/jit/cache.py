"""The folder of compiled kernels, and the lock that lets one process per host fill it.

numba's own cache looks only at the file of the function it compiles: when a helper in another
module changes, it serves the old machine code. So the folder's name is a hash over all sources with
code that gets compiled (:data:`COMPILED`), the versions of numba and numpy, and the CPU.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tidemill.calculators.jit.trust import find_intruder
from tidemill.model.logs import engine_log

__all__ = [
    "CACHE_VARIABLE",
    "COMPILED",
    "LOCK",
    "cache_folder",
    "cache_roots",
    "compiled_sources",
    "give_up",
    "has_room",
    "numba_cache",
]

#: The environment variable that names the parent of the cache's folder.
CACHE_VARIABLE = "TIDEMILL_CACHE_DIR"

#: File in the folder that is locked by the one process that fills it.
LOCK = "fill.lock"

#: Where code that gets compiled may lie: files and whole folders, so that a new kernel cannot be
#: forgotten. Comments count: parsing the files to leave them out takes 0.2 s in each process.
COMPILED = ("jit/decorators.py", "jit/loops.py", "kernels", "numerics")

_ROOM = Path(__file__).parents[1]
_ROOM_BYTES = 2**20  # what several kernels take
_log = engine_log(__name__)
_given_up: set[Path] = set()  # folders of which it was said that they cannot be written
_setting_lock = threading.Lock()


@cache
def cache_folder() -> Path | None:
    """The folder for the kernels of this version on this CPU; created if need be.

    ``TIDEMILL_CACHE_DIR`` names its parent; else ``$XDG_CACHE_HOME/tidemill`` or
    ``~/.cache/tidemill``; else, where that cannot be written, a folder of the user's in the
    system's temporary folder. Kernels are loaded as code, so a folder into which other users could
    bring theirs is passed over. None if no folder is left: each process compiles for itself.

    A folder that was filled while an image was made, by root, cannot be written by the user who
    runs the image. What it holds is then copied to the first folder that can.
    """
    key = _key()
    prepared: list[Path] = []
    problems: list[str] = []
    for root in cache_roots():
        folder = root / key
        problem = _problem(folder)
        if not problem:
            folder = folder.resolve()
            for earlier in prepared:
                _copy(earlier, folder)
            return folder
        problems.append(problem)
        if folder.is_dir() and not find_intruder(folder.resolve()):
            prepared.append(folder.resolve())
    _log.warning(
        "compiled kernels are not kept, so each process compiles them anew: %s; name a folder that "
        "only you can write in %s",
        "; ".join(problems),
        CACHE_VARIABLE,
    )
    return None


def cache_roots() -> Iterator[Path]:
    """Folders of this user that may hold what can be made again, the best one first."""
    if named := os.environ.get(CACHE_VARIABLE):
        yield Path(named).expanduser().absolute()
    yield Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "tidemill"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(tempfile.gettempdir()) / f"tidemill-{user}"


def _problem(folder: Path) -> str:
    """Why kernels cannot be stored in a folder; "" if they can. It is created if need be."""
    try:
        existing = next(one for one in (folder, *folder.parents) if one.exists())
        if intruder := find_intruder(existing.resolve()):
            return _refused(intruder)
        for one in reversed([folder, *folder.parents]):
            one.mkdir(exist_ok=True, mode=0o755)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if not _is_mine(folder):
            return _refused(f"{folder} belongs to another user")
        # Again, and of the path that is used: a parent may have been swapped meanwhile.
        intruder = find_intruder(folder.resolve())
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror or error})"
    return _refused(intruder) if intruder else ""


def _refused(intruder: str) -> str:
    _log.warning("a folder for compiled kernels is not used, because %s", intruder)
    return intruder


def _is_mine(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def give_up(folder: Path, error: BaseException) -> None:
    """Say, once, that kernels cannot be stored; work goes on with those compiled in memory."""
    if folder in _given_up:
        return
    _given_up.add(folder)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    _log.warning(
        "compiled kernels cannot be stored in %s (%s), so each process compiles them for itself; "
        "make room there, or name another folder in %s",
        folder,
        reason,
        CACHE_VARIABLE,
    )


def has_room(folder: Path) -> bool:
    """Whether a kernel can be stored; says so if not."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM_BYTES))
            file.flush()
    except OSError as error:
        give_up(folder, error)
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    """Copy compiled kernels that are not there yet; what says that they are ready comes last."""
    from filelock import FileLock, Timeout

    files = [path for path in source.rglob("*") if path.suffix in {".nbi", ".nbc", ".ready"}]
    missing = [path for path in files if not (target / path.relative_to(source)).exists()]
    if not missing:
        return
    try:
        with FileLock(target / LOCK, timeout=60):
            for path in sorted(missing, key=lambda path: path.suffix == ".ready"):
                _copy_file(path, target / path.relative_to(source))
    except (OSError, Timeout) as error:  # what was not copied is compiled
        give_up(target, error)


def _copy_file(path: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    half = place.with_name(f"{place.name}.tmp.{os.getpid()}")
    try:
        shutil.copyfile(path, half)
        half.replace(place)
    finally:
        half.unlink(missing_ok=True)


def compiled_sources() -> list[Path]:
    """The sources after which the folder is named."""
    places = [_ROOM / name for name in COMPILED]
    return [
        path
        for place in places
        for path in (sorted(place.glob("*.py")) if place.is_dir() else [place])
    ]


def _key() -> str:
    import llvmlite.binding
    import numba
    import numpy as np
    from numba.core import config

    settings: Any = config  # NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, for images that go elsewhere

    digest = hashlib.sha256()
    for path in compiled_sources():
        digest.update(
            path.relative_to(_ROOM).as_posix().encode() + b"\0" + path.read_bytes() + b"\0"
        )
    features = settings.CPU_FEATURES
    if features is None:
        features = llvmlite.binding.get_host_cpu_features().flatten()
    cpu = f"{settings.CPU_NAME or llvmlite.binding.get_host_cpu_name()} {features}"
    for text in (numba.__version__, np.__version__, sys.version, cpu):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def numba_cache(folder: Path) -> Iterator[None]:
    """Point numba's cache at a folder while a kernel is being declared.

    numba picks the folder when a function is decorated. The setting is put back at once, so
    that a user's own numba functions stay where they were.
    """
    from numba.core import config

    settings: Any = config
    with _setting_lock:
        before = settings.CACHE_DIR
        settings.CACHE_DIR = str(folder)
        try:
            yield
        finally:
            settings.CACHE_DIR = before
