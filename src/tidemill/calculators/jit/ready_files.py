"""Which kernels are stored, whole: a file for each says so, with the checksums of numba's files.

numba unpickles what it finds. A file that was cut short by a power failure would end every run, and
one with a flipped bit could calculate wrong numbers, so nothing is loaded before its checksum is
compared (60 kernels: 15 ms). What does not match counts as missing and is replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from pathlib import Path

from tidemill.model.logs import engine_log

__all__ = ["discard", "is_ready", "mark_ready", "sweep"]

_OLD_SECONDS = 3600.0  # no file takes as long to write
_log = engine_log(__name__)
_said: set[Path] = set()  # folders whose damage was reported: one line for each process


def is_ready(folder: Path, label: str) -> bool:
    """Whether a kernel is stored, and as it was written."""
    path = _ready(folder, label)
    try:
        text = path.read_bytes()
    except OSError:
        return False
    if _matches(folder, text):
        return True
    if folder not in _said:
        _said.add(folder)
        _log.warning("a compiled kernel in %s is damaged (%s); it is compiled again", folder, label)
    return False


def _matches(folder: Path, text: bytes) -> bool:
    try:
        files = dict(json.loads(text))
        return bool(files) and all(_checksum(folder / one) == files[one] for one in files)
    except (OSError, ValueError, TypeError):
        return False


def mark_ready(folder: Path, label: str, place: Path) -> None:
    """Record that a kernel's files in ``place``, a folder below, are complete."""
    files = _files(place, label)
    if not any(one.suffix == ".nbc" for one in files):
        return  # numba could not store it
    for one in files:
        one.chmod(0o644)  # whatever the umask: it is loaded as code
    sums = {one.relative_to(folder).as_posix(): _checksum(one) for one in files}
    path = _ready(folder, label)
    half = path.with_name(f"{path.name}.tmp.{uuid.uuid4().hex[:16]}")
    try:
        half.write_text(json.dumps(sums), "utf-8")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def discard(folder: Path, label: str) -> None:
    """Remove what is stored of a kernel, as far as that is possible."""
    for path in (_ready(folder, label), *_files(folder, label, "*/")):
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def sweep(folder: Path) -> None:
    """Remove files that killed processes did not finish."""
    for path in folder.rglob("*.tmp.*"):
        try:
            if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                path.unlink()
        except OSError:
            continue


def _ready(folder: Path, label: str) -> Path:
    return folder / f"{label}.ready"


def _files(place: Path, label: str, below: str = "") -> list[Path]:
    """Numba's files of a kernel: the index, and the machine code."""
    return [one for suffix in ("nbi", "nbc") for one in place.glob(f"{below}*.{label}.*.{suffix}")]


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        if hasattr(os, "getuid") and os.fstat(file.fileno()).st_mode & 0o002:
            raise OSError(f"{path} can be written by everybody")
        return hashlib.sha256(file.read()).hexdigest()
