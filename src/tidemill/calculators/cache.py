"""The folder of compiled kernels, and the lock that lets one process per host fill it.

numba's own cache looks only at the file of the function it compiles: when a helper in another
module changes, it serves the old machine code. So the folder's name is a hash over *all* sources
of this room, the versions of numba and numpy, and the CPU.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["cache_folder", "numba_cache"]

_ROOM = Path(__file__).parent
_setting_lock = threading.Lock()


@cache
def cache_folder() -> Path:
    """The folder for the kernels of this version on this CPU; created if need be.

    ``TIDEMILL_CACHE_DIR`` names its parent; else ``$XDG_CACHE_HOME/tidemill`` or
    ``~/.cache/tidemill``; else, where that cannot be written, a folder of the user's in the
    system's temporary folder.
    """
    key = _key()
    for root in _roots():
        folder = root / key
        if _is_writable(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="tidemill-"))


def _roots() -> Iterator[Path]:
    if named := os.environ.get("TIDEMILL_CACHE_DIR"):
        yield Path(named).expanduser()
    yield Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tidemill"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(tempfile.gettempdir()) / f"tidemill-{user}"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return _is_mine(folder)
    except OSError:
        return False


def _is_mine(folder: Path) -> bool:
    """Cached kernels are loaded as code, so a folder that somebody else made is not used."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _key() -> str:
    import llvmlite.binding
    import numba
    import numpy as np

    digest = hashlib.sha256()
    for path in sorted(_ROOM.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    features = llvmlite.binding.get_host_cpu_features().flatten()
    cpu = f"{llvmlite.binding.get_host_cpu_name()} {features}"
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
