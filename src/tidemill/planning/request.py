"""What a caller asks for, as one frozen, JSON-serialisable value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidemill.calculators.settings import Settings
from tidemill.data import demo_path
from tidemill.errors import ArgumentError
from tidemill.model.interval import Interval
from tidemill.model.policies import Limits, OnSettingsChange, Policies
from tidemill.model.source import Source
from tidemill.storage.options import check_options

__all__ = ["DEMO_SOURCE", "Request", "make_request"]

#: Source that means the bundled data, wherever the package is installed.
DEMO_SOURCE = "demo://sea-surface-temperature"


@dataclass(frozen=True, slots=True)
class Request:
    """One extraction: input, output, columns, settings and policies."""

    source: str | tuple[str, ...]  # path, folder, glob or URL, or several
    sink: str  # path or URL
    settings: Mapping[str, Any]  # canonical, see Settings.canonical
    column_id: str | tuple[str, ...]
    column_sort: str | None = None
    column_kind: str | None = None
    column_value: str | tuple[str, ...] | None = None  # several: wide format
    policies: Policies = field(default_factory=Policies)
    work_dir: str | None = None  # for spill; None: beside the sink
    storage_options: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    part_bytes: int | None = None  # of input per part; None: by the size of the input
    isolation_seconds: float = 300.0  # that a range of ids may take in an isolated process
    interval: Interval | None = None  # only the rows of its window count
    checks: Limits = field(default_factory=dict)  # of an interval
    examined: Source | None = None  # the interval's window, if its rows were read already
    on_settings_change: OnSettingsChange = "refuse"  # where the table has other settings
    recalculates: str = ""  # run id of the result that is calculated again though nothing changed
    reason: str = ""  # why an interval is calculated, for the record

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that make up an id."""
        return (self.column_id,) if isinstance(self.column_id, str) else self.column_id

    @property
    def locations(self) -> tuple[str, ...]:
        """The input's paths and URLs."""
        return (self.source,) if isinstance(self.source, str) else self.source


def make_request(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    sink: str | os.PathLike[str],
    *,
    settings: Any = None,
    kind_to_settings: Mapping[str, Any] | None = None,
    column_id: str | Sequence[str] | None = None,
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | Sequence[str] | None = None,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
    work_dir: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, str] | None = None,
    modules: Sequence[str] = (),
    part_bytes: int | None = None,
    isolation_seconds: float = 300.0,
) -> Request:
    """Check what can be checked without looking at the input, and freeze it.

    Raises
    ------
    ArgumentError, SettingsError
        If an argument's type or value is not allowed.
    """
    ids = _ids(column_id)
    for argument, name in {"column_sort": column_sort, "column_kind": column_kind}.items():
        _check_column(argument, name)
    values = None if column_value is None else _one_or_several("column_value", column_value)
    if part_bytes is not None and part_bytes <= 0:
        raise ArgumentError(f"part_bytes={part_bytes} is not allowed; give bytes above 0, or None")
    if isolation_seconds <= 0:
        raise ArgumentError(f"isolation_seconds={isolation_seconds} is not allowed; give > 0")
    from tidemill.calculators.custom import import_modules

    import_modules(modules)
    return Request(
        source=_locations(source),
        sink=_location(sink, "sink"),
        settings=Settings.from_any(settings, kind_to_settings).canonical(),
        column_id=ids,
        column_sort=column_sort,
        column_kind=column_kind,
        column_value=values,
        policies=Policies(on_nan, on_duplicate, on_error),  # type: ignore[arg-type]
        work_dir=None if work_dir is None else _location(work_dir, "work_dir"),
        storage_options=check_options(storage_options),
        modules=tuple(modules),
        part_bytes=part_bytes,
        isolation_seconds=isolation_seconds,
    )


def _ids(column_id: Any) -> str | tuple[str, ...]:
    """One name, or several that make up an id."""
    if column_id is None or column_id in ([], ()):
        raise ArgumentError(
            f"column_id={column_id!r} is not allowed; name the column, or the columns, that hold "
            "the ids"
        )
    return _one_or_several("column_id", column_id)


def _one_or_several(argument: str, given: Any) -> str | tuple[str, ...]:
    if not isinstance(given, list | tuple):
        _check_column(argument, given)
        return str(given)
    for name in given:
        _check_column(argument, name)
    if not given or len(set(given)) < len(given):
        raise ArgumentError(f"{argument}={list(given)} names no column, or one twice; name each")
    return str(given[0]) if len(given) == 1 else tuple(given)


def _check_column(argument: str, name: Any) -> None:
    if name is not None and not isinstance(name, str):
        raise ArgumentError(
            f"{argument}={name!r} is a {type(name).__name__}, but columns of files have names: "
            "give a string"
        )


def _locations(source: Any) -> str | tuple[str, ...]:
    if isinstance(source, list | tuple):
        return tuple(_location(one, "source") for one in source)
    return _location(source, "source")


def _location(value: Any, argument: str) -> str:
    """A path made absolute (workers have other folders), or a URL as it is."""
    if not isinstance(value, str | os.PathLike):
        remedy = "extract_features takes frames" if argument == "source" else "give a string"
        raise ArgumentError(
            f"{argument} is a {type(value).__name__}, but a path or URL is needed; {remedy}"
        )
    text = os.fspath(value)
    if not text:
        raise ArgumentError(f"{argument}='' is not allowed; give a path or URL")
    if text == DEMO_SOURCE:
        return str(demo_path())
    return text if "://" in text else str(Path(text).expanduser().absolute())
