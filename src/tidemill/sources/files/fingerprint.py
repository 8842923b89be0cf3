"""Identify input files, and check that they are still the files that were planned.

A result must not mix two versions of a file. So every file is checked when it is opened, before
anything made from it is committed (a part, a spill file), and once more before the result is
published. A check costs one ``stat`` or one request.

Size and modification time say which file it is wherever it was copied to, so they stand in the
result key. Within a run that is not enough: another file may be moved into its place with both of
them. So a run also looks at inode and ctime, which no copy keeps and no program can set. They count
only on the host that made the plan: another one may number a shared folder's files differently.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TypeVar

from tidemill.errors import SourceChangedError, shorten
from tidemill.model.plan import Part
from tidemill.model.source import Source, SourceFile
from tidemill.storage.processes import Process
from tidemill.storage.stores import Store

__all__ = [
    "check_file_unchanged",
    "check_part_unchanged",
    "check_unchanged",
    "content_digest",
    "in_threads",
    "is_by_content",
    "is_other_state",
    "state_of",
]

LOCAL_THREADS, REMOTE_THREADS = 8, 32
#: Prefix of the digest of a file that was read in full.
CONTENT = "content:"

_HASHING = Lock()  # only one thread reads a touched file

T = TypeVar("T")
S = TypeVar("S")


def in_threads(function: Callable[[T], S], items: Iterable[T], store: Store) -> list[S]:
    """Apply a function in threads, more of them for remote stores; results keep the order."""
    with ThreadPoolExecutor(LOCAL_THREADS if store.is_local else REMOTE_THREADS) as pool:
        return list(pool.map(function, items))


def content_digest(path: Path) -> str:
    """The digest of the whole content of a local file."""
    with path.open("rb") as stream:
        return f"{CONTENT}{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def is_by_content(file: SourceFile) -> bool:
    """Whether the digest of a file covers its whole content."""
    return file.digest.startswith(CONTENT)


def check_unchanged(source: Source, files: Iterable[int] | None = None) -> None:
    """Check that files are as they were when the source was opened.

    A file with a new modification time but the same content passes if its digest covers the
    content. It is read again, once per process.

    Parameters
    ----------
    source : an opened input
    files : indexes of the files to check; all by default

    Raises
    ------
    SourceChangedError
        If files changed or no longer exist; the message names them.
    """
    store = Store.open(source.url, source.storage_options)
    wanted = source.files if files is None else [source.files[index] for index in sorted(files)]
    looked_at = _each(lambda file: _change(store, file), wanted, store)
    pairs = zip(wanted, looked_at, strict=True)
    changed = [file.path for file, change in pairs if change is not None]
    if changed:
        raise SourceChangedError(
            f"{len(changed)} of {len(source.files)} input files in {source.url} changed or "
            f"disappeared since the run was planned ({shorten(changed, 3)}); start a new run, "
            "which makes a new plan"
        )


def check_part_unchanged(source: Source, part: Part) -> None:
    """Check the files that a part is read from, right before the part is committed.

    The files of spilled parts were checked when their rows were spilled.

    Raises
    ------
    SourceChangedError
        If files changed or no longer exist; the message names them.
    """
    check_unchanged(source, part.files)


def check_file_unchanged(store: Store, file: SourceFile) -> None:
    """Check one file after opening it: what is read from then on is what was planned.

    Raises
    ------
    SourceChangedError
        If it changed or no longer exists; the message says what is different.
    """
    change = _change(store, file)
    if change is not None:
        raise SourceChangedError(
            f"{store.url_of(file.path)} {change}; start a new run, which makes a new plan"
        )


def _each(function: Callable[[T], S], items: Iterable[T], store: Store) -> list[S]:
    """As :func:`in_threads`, but without threads for a few local files, where they cost more."""
    few = list(items)
    if store.is_local and len(few) <= LOCAL_THREADS:
        return [function(item) for item in few]
    return in_threads(function, few, store)


def _change(store: Store, file: SourceFile) -> str | None:
    """What is different about a file; None if it is unchanged."""
    try:
        size, version, state = _look_at(store, file.path)
        if size != file.size:
            return f"had {file.size} bytes when the run was planned and has {size} now"
        same = version == file.version and not is_other_state(file.state, state)
        if same or _has_content(store, file, f"{version}/{state}"):
            return None
    except FileNotFoundError:
        return "no longer exists, but did when the run was planned"
    return "was rewritten after the run was planned"


def state_of(info: os.stat_result) -> str:
    """What changes when a local file is replaced or written, whatever times are set afterwards."""
    return f"{_host()}/{info.st_ino}/{info.st_ctime_ns}"


def is_other_state(planned: str, now: str) -> bool:
    """Whether a file was replaced or written; states of two hosts cannot be compared.

    Examples
    --------
    >>> is_other_state("a/7/1", "a/8/2"), is_other_state("a/7/1", "b/8/2")
    (True, False)
    >>> is_other_state("", "a/8/2")
    False
    """
    is_comparable = planned.rsplit("/", 2)[0] == now.rsplit("/", 2)[0]
    return is_comparable and planned != now


@cache
def _host() -> str:
    return Process.current().host


def _look_at(store: Store, path: str) -> tuple[int, str, str]:
    """Size, version and state of a file."""
    local = store.local_path(path)
    if local is not None:
        info = local.stat()
        return info.st_size, str(info.st_mtime_ns), state_of(info)
    entry = store.info(path)
    return entry.size, entry.version, ""


def _has_content(store: Store, file: SourceFile, version: str) -> bool:
    """Whether a file that was rewritten or touched still has the planned content."""
    path = store.local_path(file.path)
    if path is None or not is_by_content(file):
        return False
    with _HASHING:
        return _matches(path, version, file.digest)


@lru_cache(maxsize=2**16)
def _matches(path: Path, version: str, digest: str) -> bool:
    """Whether this version of a file has the digest; False if it is being written."""
    if content_digest(path) != digest:
        return False
    info = path.stat()
    return f"{info.st_mtime_ns}/{state_of(info)}" == version
