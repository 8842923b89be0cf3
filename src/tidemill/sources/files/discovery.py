"""Find the files of an input: paths, folders, globs, Delta tables and URLs, or a list of them.

Only the log of a Delta table is opened. Files are sorted by path, so the order is the same on every
machine. Values in the names of folders, and those of a Delta table's partitions, are columns of one
value for each file.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from tidemill.errors import SourceError, shorten
from tidemill.model.logs import engine_log
from tidemill.sources.files.fingerprint import state_of
from tidemill.sources.files.formats import SUFFIXES, format_of, is_any_text
from tidemill.sources.files.path_columns import Constants, PathPattern, folder_columns
from tidemill.storage.options import resolve_options
from tidemill.storage.stores import Store, local_folder

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["FoundFile", "FoundInput", "InputLocation", "discover"]

log = engine_log(__name__)

NOT_A_FILE = "is no regular file, but a pipe, a socket or a device; write its content to a file"

InputLocation = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of the input."""

    path: str  # full path or URL
    size: int  # bytes
    version: str  # etag, or modification time in nanoseconds
    constants: Constants = ()  # columns of one value each
    state: str = ""  # of a local file: see :func:`state_of`


@dataclass(frozen=True, slots=True)
class FoundInput:
    """The files of an input."""

    url: str  # common folder or URL prefix
    format: str  # a name in tidemill.sources.files.formats
    files: tuple[FoundFile, ...]  # paths relative to ``url``
    # Columns of Delta tables, with the types that their logs state; else none.
    declared: pa.Schema = pa.schema([])  # noqa: RUF009 (immutable)


def discover(
    location: InputLocation,
    storage_options: Mapping[str, str] | None = None,
    id_from_path: str | None = None,
) -> FoundInput:
    """Find the files of an input, their common folder, and their format.

    With ``id_from_path``, the columns of such a pattern are read from the path of every file.

    Raises
    ------
    SourceError
        If nothing is found, if formats are mixed, or if a path does not match the pattern.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.csv", "a.csv", "_log.csv", "notes.txt"):
    ...     _ = (folder / name).write_text("id,value")
    >>> found = discover(folder)
    >>> found.url == str(folder), found.format, [file.path for file in found.files]
    (True, 'csv', ['a.csv', 'b.csv'])
    """
    given = [location] if isinstance(location, str | os.PathLike) else list(location)
    if not given:
        raise SourceError("the input is an empty list; name at least one file or folder")
    declared: list[pa.Field] = []
    found = {file.path: file for one in given for file in _resolve(one, storage_options, declared)}
    files = [found[path] for path in sorted(found)]
    if id_from_path is not None:
        pattern = PathPattern(id_from_path)
        files = [_with_constants(file, pattern.read(file.path)) for file in files]
    root = _common_root([file.path for file in files])
    relative = (replace(file, path=file.path[len(root) + 1 :]) for file in files)
    by_name = {field.name: field for field in declared}
    return FoundInput(root, _one_format(list(found)), tuple(relative), pa.schema(by_name.values()))


def _with_constants(file: FoundFile, more: Constants) -> FoundFile:
    return replace(file, constants=tuple({**dict(file.constants), **dict(more)}.items()))


def _resolve(
    one: str | os.PathLike[str], options: Mapping[str, str] | None, declared: list[pa.Field]
) -> list[FoundFile]:
    """The files at one location; adds the columns of a Delta table to ``declared``."""
    local = local_folder(one)
    if local is None:
        files = _resolve_url(os.fspath(one), options, declared)
    else:
        files = _resolve_local(Path(os.path.normpath(local)), declared)
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
            "give files of one format, by a glob such as 'folder/*.csv'"
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


def _resolve_local(path: Path, declared: list[pa.Field]) -> list[FoundFile]:
    if path.is_file():
        return [_stat(str(path))]
    if (path / "_delta_log").is_dir():
        return _delta_files(str(path), _walk(path, hidden=True), None, declared)
    if path.is_dir():
        return _readable(list(_walk(path)), str(path))
    if path.exists():
        raise SourceError(f"{str(path)!r} {NOT_A_FILE}")
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  absolute patterns
    return [_stat(match) for match in matches if not Path(match).is_dir()]


def _readable(files: list[FoundFile], where: str) -> list[FoundFile]:
    """Those whose names end in a known suffix; the others are named once, in the log.

    Beside other input, ``.txt`` files are notes.
    """
    known = [file for file in files if format_of(file.path)]
    known = [file for file in known if not is_any_text(file.path)] or known
    if skipped := sorted({file.path for file in files} - {file.path for file in known}):
        names = shorten((path[len(where) + 1 :] for path in skipped), 5)
        _say_once(f"{len(skipped)} files in {where} are skipped, by their suffix: {names}")
    return known


@lru_cache(maxsize=256)
def _say_once(text: str) -> None:
    """Log a warning, once in a process: a run looks at its input for each interval."""
    log.warning("%s", text)


def _stat(path: str) -> FoundFile:
    try:
        info = os.stat(path)  # noqa: PTH116  10,000 files: four times faster than Path.stat
    except FileNotFoundError:
        raise SourceError(f"{path!r} is a link to nothing, or was just deleted") from None
    if not stat.S_ISREG(info.st_mode):  # opening it might wait for a writer, and reading never end
        raise SourceError(f"{path!r} {NOT_A_FILE}")
    version = str(info.st_mtime_ns)
    return FoundFile(path, info.st_size, version, folder_columns(path), state_of(info))


def _walk(folder: Path, *, hidden: bool = False) -> Iterator[FoundFile]:
    above = {str(folder): frozenset[tuple[int, int]]()}
    for place, folders, names in os.walk(folder, followlinks=True):
        about = os.stat(place)  # noqa: PTH116
        trail = above.pop(place, frozenset())
        if (about.st_dev, about.st_ino) in trail:  # a link to a folder that this one lies in
            folders.clear()
            continue
        if not hidden:
            folders[:] = [name for name in folders if not _is_hidden(name)]
        here = trail | {(about.st_dev, about.st_ino)}
        above.update((os.path.join(place, name), here) for name in folders)  # noqa: PTH118
        paths = (f"{place}/{name}" for name in names if hidden or not _is_hidden(name))
        yield from (_stat(path) for path in paths if format_of(path) or Path(path).is_file())


# Object storage


def _resolve_url(
    url: str, options: Mapping[str, str] | None, declared: list[pa.Field]
) -> list[FoundFile]:
    url = url.rstrip("/")
    if any(char in url for char in "*?["):
        return _match_url(url, options)
    inside = _list_url(url, options)
    if any("/_delta_log/" in file.path for file in inside):
        return _delta_files(url, inside, options, declared)
    if inside:
        shown = [file for file in inside if not _is_hidden(file.path[len(url) + 1 :])]
        return _readable(shown, url)
    return _one_object(url, options)


def _list_url(url: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    store = Store.open(url, options)
    return [
        _object(f"{store.url}/{entry.path}", entry.size, entry.version)
        for entry in store.list()
        if entry.path  # the object itself, when the URL names one
    ]


def _object(url: str, size: int, version: str) -> FoundFile:
    return FoundFile(url, size, version, folder_columns(url))


def _one_object(url: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    folder, _, name = url.rpartition("/")
    try:
        entry = Store.open(folder, options).info(name)
    except FileNotFoundError:
        return []
    return [_object(url, entry.size, entry.version)]


def _match_url(pattern: str, options: Mapping[str, str] | None) -> list[FoundFile]:
    steps = pattern.split("/")
    fixed = next(i for i, step in enumerate(steps) if any(char in step for char in "*?["))
    inside = _list_url("/".join(steps[:fixed]), options)
    return [file for file in inside if fnmatch.fnmatchcase(file.path, pattern)]


# Delta tables

_UNREADABLE = ("deletionVectors", "columnMapping")


def _delta_files(
    url: str,
    inside: Iterable[FoundFile],
    options: Mapping[str, str] | None,
    declared: list[pa.Field],
) -> list[FoundFile]:
    table = _open_table(url, options)
    features = table.protocol().reader_features or []
    if unreadable := [name for name in features if name in _UNREADABLE]:
        raise SourceError(
            f"the Delta table {url!r} uses {shorten(unreadable)}, so its rows cannot be read "
            "from its files alone; rewrite it without (REORG TABLE ... APPLY (PURGE), or copy it)"
        )
    declared += map(pa.field, pa.schema(table.schema().to_arrow()))
    by_path = {file.path: file for file in inside}
    current = _current_files(url, table)
    if missing := [path for path in current if path not in by_path]:
        raise SourceError(f"files of the Delta table {url!r} are missing: {shorten(missing, 3)}")
    return [replace(by_path[path], constants=values) for path, values in current.items()]


def _open_table(url: str, options: Mapping[str, str] | None) -> DeltaTable:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(url, storage_options=dict(resolve_options(options or {})))
    except (DeltaError, OSError, ValueError) as error:
        raise SourceError(
            f"the Delta table {url!r} cannot be opened ({error}); check its log, and that its "
            "path holds no escape such as %20, which the Delta library reads as a space"
        ) from error


def _current_files(url: str, table: DeltaTable) -> dict[str, Constants]:
    """Path of every file to the values of the partition columns, as text."""
    actions = pa.table(table.get_add_actions(flatten=True))
    names = table.metadata().partition_columns
    columns = [actions[f"partition.{name}"].cast(pa.string()).to_pylist() for name in names]
    rows = zip(*columns, strict=True) if names else [()] * len(actions)
    values = (tuple(zip(names, row, strict=True)) for row in rows)
    paths = (_delta_path(url, path) for path in actions["path"].to_pylist())
    return dict(zip(paths, values, strict=True))


def _delta_path(url: str, path: str) -> str:
    """A path of the log, in which characters are quoted, below the table or absolute."""
    if path.startswith("file://"):
        return unquote(path[len("file://") :])
    return path if "://" in path else f"{url}/{unquote(path)}"
