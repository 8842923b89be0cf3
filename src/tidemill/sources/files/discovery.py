"""Find the files of an input: paths, folders, globs, Delta tables and URLs, or a list of them.

Only the log of a Delta table is opened. Files are sorted by path, so the order is the same on every
machine.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tidemill.errors import SourceError, shorten
from tidemill.sources.files.formats import SUFFIXES, format_of
from tidemill.storage.options import resolve_options
from tidemill.storage.stores import Store, local_folder

__all__ = ["FoundFile", "InputLocation", "discover"]

InputLocation = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of the input."""

    path: str  # full path or URL
    size: int  # bytes
    version: str  # etag, or modification time in nanoseconds


def discover(
    location: InputLocation, storage_options: Mapping[str, str] | None = None
) -> tuple[str, str, tuple[FoundFile, ...]]:
    """Find the common folder or URL prefix, the format, and the files relative to that folder.

    Raises
    ------
    SourceError
        If nothing is found, or if Parquet and CSV files are mixed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.csv", "a.csv", "_log.csv", "notes.txt"):
    ...     _ = (folder / name).write_text("id,value")
    >>> root, kind, files = discover(folder)
    >>> root == str(folder), kind, [file.path for file in files]
    (True, 'csv', ['a.csv', 'b.csv'])
    """
    given = [location] if isinstance(location, str | os.PathLike) else list(location)
    if not given:
        raise SourceError("the input is an empty list; name at least one file or folder")
    found = {file.path: file for one in given for file in _resolve(one, storage_options)}
    files = [found[path] for path in sorted(found)]
    root = _common_root([file.path for file in files])
    relative = (FoundFile(file.path[len(root) + 1 :], file.size, file.version) for file in files)
    return root, _one_format(list(found)), tuple(relative)


def _resolve(one: str | os.PathLike[str], options: Mapping[str, str] | None) -> list[FoundFile]:
    local = local_folder(one)
    if local is None:
        files = _resolve_url(os.fspath(one), options)
    else:
        files = _resolve_local(Path(os.path.normpath(local)))
    if not files:
        raise SourceError(
            f"no input files at {os.fspath(one)!r}: give a file, folder or glob with files that "
            f"end in {', '.join(SUFFIXES)} (names that start with '_' or '.' are skipped)"
        )
    return files


def _one_format(paths: Sequence[str]) -> str:
    by_format: dict[str | None, str] = {}
    for path in paths:
        by_format.setdefault(format_of(path), path)
    if None in by_format:
        raise SourceError(
            f"cannot read {by_format[None]!r}: input files end in {', '.join(SUFFIXES)}"
        )
    if len(by_format) > 1:
        raise SourceError(
            f"the input mixes formats ({shorten(map(repr, by_format.values()))}); "
            "give Parquet files or CSV files, not both"
        )
    return str(next(iter(by_format)))


def _common_root(paths: Sequence[str]) -> str:
    folders = [path.rpartition("/")[0].split("/") for path in paths]
    shared = []
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    root = "/".join(shared)
    if any("://" in path for path in paths) and root.count("/") < 2:
        raise SourceError(f"input files lie in several stores: {shorten(paths, 3)}")
    return root


def _is_hidden(relative: str) -> bool:
    return any(step.startswith(("_", ".")) for step in PurePosixPath(relative).parts)


# Local files


def _resolve_local(path: Path) -> list[FoundFile]:
    if path.is_file():
        return [_stat(str(path))]
    if (path / "_delta_log").is_dir():
        return _delta_files(str(path), _walk(path, hidden=True), None)
    if path.is_dir():
        return [file for file in _walk(path) if format_of(file.path)]
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  absolute patterns
    return [_stat(match) for match in matches if Path(match).is_file()]


def _stat(path: str) -> FoundFile:
    info = os.stat(path)  # noqa: PTH116  10,000 files: four times faster than Path.stat
    return FoundFile(path, info.st_size, str(info.st_mtime_ns))


def _walk(folder: Path, *, hidden: bool = False) -> Iterator[FoundFile]:
    for place, folders, names in os.walk(folder, followlinks=True):
        if not hidden:
            folders[:] = [name for name in folders if not _is_hidden(name)]
        kept = (name for name in names if hidden or not _is_hidden(name))
        yield from (_stat(f"{place}/{name}") for name in kept)


# Object storage


def _resolve_url(url: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    url = url.rstrip("/")
    if any(char in url for char in "*?["):
        return _match_url(url, options)
    inside = _list_url(url, options)
    if any("/_delta_log/" in file.path for file in inside):
        return _delta_files(url, inside, options)
    if inside:
        return [
            file
            for file in inside
            if format_of(file.path) and not _is_hidden(file.path[len(url) + 1 :])
        ]
    return _one_object(url, options)


def _list_url(url: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    store = Store.open(url, options)
    return [
        FoundFile(f"{store.url}/{entry.path}", entry.size, entry.version)
        for entry in store.list()
        if entry.path  # the object itself, when the URL names one
    ]


def _one_object(url: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    folder, _, name = url.rpartition("/")
    try:
        entry = Store.open(folder, options).info(name)
    except FileNotFoundError:
        return []
    return [FoundFile(url, entry.size, entry.version)]


def _match_url(pattern: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    steps = pattern.split("/")
    fixed = next(i for i, step in enumerate(steps) if any(char in step for char in "*?["))
    inside = _list_url("/".join(steps[:fixed]), options)
    return [file for file in inside if fnmatch.fnmatchcase(file.path, pattern)]


# Delta tables

_UNREADABLE = ("deletionVectors", "columnMapping")


def _delta_files(
    url: str, inside: Iterable[FoundFile], options: Mapping[str, str] | None
) -> list[FoundFile]:
    from deltalake import DeltaTable

    table = DeltaTable(url, storage_options=dict(resolve_options(options or {})))
    features = table.protocol().reader_features or []
    if unreadable := [name for name in features if name in _UNREADABLE]:
        raise SourceError(
            f"the Delta table {url!r} uses {shorten(unreadable)}, so its rows cannot be read "
            "from its files alone; rewrite it without (REORG TABLE ... APPLY (PURGE), or copy it)"
        )
    by_path = {file.path: file for file in inside}
    current = [_delta_path(url, uri) for uri in table.file_uris()]
    if missing := [path for path in current if path not in by_path]:
        raise SourceError(f"files of the Delta table {url!r} are missing: {shorten(missing, 3)}")
    return [by_path[path] for path in current]


def _delta_path(url: str, uri: str) -> str:
    if "://" in url:
        return uri
    return unquote(uri[len("file://") :]) if uri.startswith("file://") else uri
