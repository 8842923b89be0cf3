"""Refuse unusable sinks before any work is done."""

from __future__ import annotations

import fnmatch
import os
import uuid
from collections.abc import Iterable, Sequence

from tidemill.errors import SinkError, shorten
from tidemill.storage.delta import check_table, delta_url, open_table
from tidemill.storage.layout import SinkLayout
from tidemill.storage.stores import Store, local_folder

__all__ = ["check_sink"]


def check_sink(
    layout: SinkLayout, inputs: Iterable[str | os.PathLike[str]] = (), *, intervals: bool = False
) -> None:
    """Check that a sink can take a feature matrix; nothing is written to a local folder.

    Parameters
    ----------
    layout
        The sink.
    inputs
        Files, folders and URLs that the run reads.
    intervals
        Whether rows of an interval are to be added.

    Raises
    ------
    SinkError
        If the sink holds something else, is or lies in the input, or cannot be written. The
        message names what was found and what to do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "notes.txt").write_text("mine")
    >>> check_sink(SinkLayout.of(folder))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tidemill.errors.SinkError: the sink ... holds something else (notes.txt); choose an empty ...
    >>> check_sink(SinkLayout.of(folder / "matrix"))
    """
    for location in inputs:
        _check_input(layout, location)
    if not layout.url.isprintable():  # Delta would refuse most of them, but only at its commit
        raise SinkError(
            f"the path of the sink {layout.url} holds characters that cannot be printed; choose "
            "another"
        )
    if intervals and layout.kind == "file":
        raise SinkError(
            f"the sink {layout.url} is one file, which cannot be divided into intervals; give the "
            "folder or URL of a table"
        )
    try:
        if layout.kind == "delta":
            delta_url(layout)
            _check_folder(layout, intervals=intervals)
        else:
            _check_file(layout)
        _check_writable(layout)
    except (PermissionError, FileNotFoundError) as error:
        raise SinkError(
            f"the sink {layout.url} cannot be written: {error}; check that the bucket exists and "
            "that these credentials may write to it"
        ) from error


def _check_input(layout: SinkLayout, location: str | os.PathLike[str]) -> None:
    source, sink = _resolved(location), _resolved(layout.url)
    if sink == source:
        raise SinkError(
            f"the sink {layout.url} is the input itself; choose another sink, the input is never "
            "changed"
        )
    if sink.startswith(f"{source.rstrip('/')}/"):
        raise SinkError(
            f"the sink {layout.url} lies inside the input {location}, so the next run would read "
            "it as input; choose a sink elsewhere"
        )
    if layout.kind == "delta" and source.startswith(f"{sink}/"):
        raise SinkError(
            f"the input {location} lies inside the sink {layout.url}; choose a sink elsewhere"
        )
    if any(char in source for char in "*?[") and _is_matched(layout, source):
        raise SinkError(
            f"the sink {layout.url} is matched by the input {location}, so it would be overwritten "
            "or read as input; choose a sink elsewhere"
        )


def _is_matched(layout: SinkLayout, pattern: str) -> bool:
    """Whether a glob matches the sink's file or the parts in its folder."""
    file = layout.url if layout.kind == "file" else f"{layout.url}/part-0.parquet"
    if "://" in pattern:  # where * matches slashes too
        return fnmatch.fnmatchcase(file, pattern)
    return _matches(file.split("/"), pattern.split("/"))


def _matches(steps: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, step by step; ``**`` stands for any number of folders."""
    if not pattern or not steps:
        return not pattern and not steps
    if pattern[0] == "**":
        return any(_matches(steps[skipped:], pattern[1:]) for skipped in range(len(steps) + 1))
    return fnmatch.fnmatchcase(steps[0], pattern[0]) and _matches(steps[1:], pattern[1:])


def _resolved(location: str | os.PathLike[str]) -> str:
    local = local_folder(location)
    return os.fspath(location).rstrip("/") if local is None else str(local.resolve())


def _check_folder(layout: SinkLayout, *, intervals: bool) -> None:
    _check_parents(layout.home)
    home = layout.home
    if home.holds_any("_delta_log") and (table := open_table(layout)) is not None:
        check_table(table, layout.url, intervals=intervals)
        return
    if home.holds_any("_tidemill"):
        return
    files, folders = home.folder()
    if "_tidemill" in folders:  # an empty one
        return
    found = [entry.path for entry in files] + [f"{folder}/" for folder in folders]
    visible = [name for name in found if not name.startswith(".")]
    if visible:
        raise SinkError(
            f"the sink {layout.url} holds something else ({shorten(visible)}); choose an empty "
            "or a new folder, or a name that ends in .parquet or .csv for a single file"
        )


def _check_parents(folder: Store) -> None:
    """Refuse a folder if it, or a folder above it, is a file."""
    path = folder.local_path()
    if path is None:
        parent, _, name = folder.url.rpartition("/")
        taken = folder.url if Store(parent, folder.storage_options).exists(name) else None
    else:
        taken = next((str(one) for one in (path, *path.parents) if one.is_file()), None)
    if taken is not None:
        raise SinkError(
            f"the sink {folder.url} needs a folder, but {taken} is a file; choose another name, "
            "or one that ends in .parquet or .csv for a single file"
        )


def _check_file(layout: SinkLayout) -> None:
    if layout.home.local_path() is not None:
        _check_parents(layout.home)
    files, folders = layout.home.folder(layout.name)
    path = layout.home.local_path(layout.name)
    if files or folders or (path is not None and path.is_dir()):
        raise SinkError(
            f"the sink {layout.url} is a folder, but its name asks for a single "
            f"{layout.format} file; choose another name, or one without that ending for a table"
        )
    if layout.home.exists(layout.name) and not any(layout.state.folder()):
        raise SinkError(
            f"the sink {layout.url} is a file that tidemill did not write; choose another name, or "
            "move the file away"
        )


def _check_writable(layout: SinkLayout) -> None:
    path = layout.home.local_path()
    if path is None:
        probe = f"probe-{uuid.uuid4().hex}"
        layout.state.write(probe, b"")
        layout.state.delete(probe)
        return
    folder = next(one for one in (path, *path.parents) if one.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(
            f"the sink {layout.url} cannot be written: no permission to write in {folder}; change "
            "its mode or owner, or choose another sink"
        )
