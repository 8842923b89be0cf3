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

__all__ = ["CACHE_VARIABLE", "COMPILED", "LOCK", "cache_folder", "compiled_sources", "numba_cache"]

#: The environment variable that names the parent of the cache's folder.
CACHE_VARIABLE = "TIDEMILL_CACHE_DIR"

#: File in the folder that is locked by the one process that fills it.
LOCK = "fill.lock"

#: Where code that gets compiled may lie: files and whole folders, so that a new kernel cannot be
#: forgotten. Comments count: parsing the files to leave them out takes 0.2 s in each process.
COMPILED = ("jit/decorators.py", "jit/loops.py", "kernels", "numerics")

_ROOM = Path(__file__).parents[1]
_setting_lock = threading.Lock()


@cache
def cache_folder() -> Path:
    """The folder for the kernels of this version on this CPU; created if need be.

    ``TIDEMILL_CACHE_DIR`` names its parent; else ``$XDG_CACHE_HOME/tidemill`` or
    ``~/.cache/tidemill``; else, where that cannot be written, a folder of the user's in the
    system's temporary folder.

    A folder that was filled while an image was made, by root, cannot be written by the user who
    runs the image. What it holds is then copied to the first folder that can.
    """
    key = _key()
    prepared: list[Path] = []
    for root in _roots():
        folder = root / key
        if _is_writable(folder):
            break
        if _is_trusted(root) and _is_trusted(folder):
            prepared.append(folder)
    else:
        folder = Path(tempfile.mkdtemp(prefix="tidemill-")) / key
        folder.mkdir()
    for earlier in prepared:
        _copy(earlier, folder)
    return folder


def _roots() -> Iterator[Path]:
    if named := os.environ.get(CACHE_VARIABLE):
        yield Path(named).expanduser()
    yield Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tidemill"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(tempfile.gettempdir()) / f"tidemill-{user}"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        with tempfile.TemporaryFile(dir=folder):
            return _is_mine(folder)
    except OSError:
        return False


def _is_mine(folder: Path) -> bool:
    """Cached kernels are loaded as code, so a folder that somebody else made is not used."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _is_trusted(folder: Path) -> bool:
    """Whether nobody but root and the user could put anything there."""
    if not hasattr(os, "getuid"):
        return False
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid in {0, os.getuid()} and not found.st_mode & 0o022


def _copy(source: Path, target: Path) -> None:
    """Copy compiled kernels that are not there yet; what says that they are ready comes last."""
    from filelock import FileLock

    files = [path for path in source.rglob("*") if path.suffix in {".nbi", ".nbc", ".ready"}]
    missing = [path for path in files if not (target / path.relative_to(source)).exists()]
    if not missing:
        return
    with FileLock(target / LOCK):
        for path in sorted(missing, key=lambda path: path.suffix == ".ready"):
            place = target / path.relative_to(source)
            place.parent.mkdir(exist_ok=True)
            half = place.with_name(f"{place.name}.tmp.{os.getpid()}")
            shutil.copyfile(path, half)
            half.replace(place)


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
def numba_cache() -> Iterator[None]:
    """Point numba's cache at :func:`cache_folder` while a kernel is being declared.

    numba picks the folder when a function is decorated. The setting is put back at once, so
    that a user's own numba functions stay where they were.
    """
    from numba.core import config

    settings: Any = config
    with _setting_lock:
        before = settings.CACHE_DIR
        settings.CACHE_DIR = str(cache_folder())
        try:
            yield
        finally:
            settings.CACHE_DIR = before
