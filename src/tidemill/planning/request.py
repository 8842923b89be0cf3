"""A caller's request, checked once and frozen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from tidemill.calculators.custom import import_modules
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, shorten
from tidemill.model.interval import Interval
from tidemill.model.policies import Limits, OnBadFile, OnSettingsChange, Policies
from tidemill.model.source import Reading, Source
from tidemill.planning.check_limits import parse_checks
from tidemill.planning.doors import EXTRACT, Door, check_number
from tidemill.planning.parameters import PARAMETERS, TimeUnit
from tidemill.sources.demo_data import demo_location
from tidemill.sources.files.given_times import time_type
from tidemill.sources.files.path_columns import PathPattern
from tidemill.sources.sql.open import check_rows_named
from tidemill.storage.check_columns import check_id_names
from tidemill.storage.options import check_options

__all__ = ["Request", "make_request", "source_text"]


@dataclass(frozen=True, slots=True)
class Request:
    """One extraction: input, output, columns, settings and policies."""

    source: str | tuple[str, ...]  # path, folder, glob or URL, or several
    sink: str  # path or URL
    settings: Settings
    column_id: str | tuple[str, ...]
    column_sort: str | None = None
    column_kind: str | None = None
    column_value: str | tuple[str, ...] | None = None  # several: wide format
    policies: Policies = field(default_factory=Policies)
    work_dir: str | None = None  # for spill; None: next to the sink
    storage_options: Mapping[str, str] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)
    timezone: str = "UTC"  # of the table's local days; UTC if there is no table
    table: str | None = None  # of a database
    query: str | None = None  # of a database, instead of a table
    modules: tuple[str, ...] = ()
    part_bytes: int | None = None  # of input per part; None: by the size of the input
    series_seconds: float | None = None  # without progress until a series hangs; None: predicted
    stall_seconds: float = 60.0  # without a sign of life from a worker until it is given up
    interval: Interval | None = None  # only the rows of its window count
    checks: Limits = field(default_factory=dict)  # of an interval
    examined: Source | None = None  # the input, if it is already opened and its window counted
    validated: bool = False  # already checked against its sink and its input
    on_settings_change: OnSettingsChange = "refuse"  # if the table has different settings
    recalculates: str = ""  # run id of the unchanged result to calculate again
    reason: str = ""  # why an interval is calculated, for the record
    retry_quarantined: bool = False  # calculate what was quarantined as poison again

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that make up an id."""
        return (self.column_id,) if isinstance(self.column_id, str) else self.column_id

    @property
    def locations(self) -> tuple[str, ...]:
        """The input's paths and URLs."""
        return (self.source,) if isinstance(self.source, str) else self.source


def source_text(request: Request) -> str:
    """The input as it was given, for people.

    Examples
    --------
    >>> source_text(make_request(["/data/a.csv", "/data/b"], "matrix", column_id="id"))
    '/data/a.csv, /data/b'
    """
    return shorten(request.locations, 3)


def make_request(source: Any, sink: Any, *, door: Door = EXTRACT, **given: Any) -> Request:
    """Check everything that does not need the input, and freeze it.

    Parameters
    ----------
    source, sink : the parameters of these names
    door : the flow whose parameters are given; its defaults stand in for those left out
    given : parameters of the door by name; those that a request does not hold are only checked

    Raises
    ------
    ArgumentError, SettingsError
        If an argument's type or value is not allowed.

    Examples
    --------
    >>> make_request("in.parquet", "matrix", column_id="buoy").column_id
    'buoy'
    """
    values = door.complete({"source": source, "sink": sink, "column_id": None, **given})
    for name in values:
        check_number(name, values[name])
    ids = _ids(values["column_id"])
    sort_role = "column_time" if "column_time" in door else "column_sort"
    for role in (sort_role, "column_kind"):
        _check_column(role, values[role])
    kinds = values["column_value"]
    _check_rows_named(source, values["table"], values["query"])
    _check_report_url(values.get("report_url"))
    modules = values["modules"] or ()
    import_modules(modules)
    work_dir = values["work_dir"]
    made = Request(
        source=_locations(source),
        sink=_location(sink, "sink"),
        settings=Settings.from_any(values["settings"], values["kind_to_settings"]),
        column_id=ids,
        column_sort=values[sort_role],
        column_kind=values["column_kind"],
        column_value=None if kinds is None else _one_or_several("column_value", kinds),
        policies=Policies(values["on_nan"], values["on_duplicate"], values["on_error"]),
        work_dir=None if work_dir is None else _location(work_dir, "work_dir"),
        storage_options=check_options(values["storage_options"]),
        reading=_reading(values),
        table=values["table"],
        query=values["query"],
        modules=tuple(modules),
        part_bytes=values["part_bytes"],
        series_seconds=values["series_seconds"],
        stall_seconds=values["stall_seconds"],
        retry_quarantined=values["retry_quarantined"],
    )
    return _of_table(made, values) if "table" in door.groups else made


def _of_table(request: Request, values: Mapping[str, Any]) -> Request:
    """Add what a table of intervals needs."""
    choice = values["on_settings_change"]
    if choice not in (allowed := get_args(OnSettingsChange)):
        raise ArgumentError(
            f"on_settings_change={choice!r} is not allowed; choose one of "
            f"{', '.join(map(repr, allowed))}"
        )
    check_id_names(request.ids, intervals=True)
    return replace(
        request,
        checks=parse_checks(values["checks"]),
        on_settings_change=choice,
        timezone=values["timezone"],
    )


def _reading(values: Mapping[str, Any]) -> Reading:
    """How to read the input, of the door's values; checks what does not need the files."""
    given: dict[str, Any] = {one.name: values[one.name] for one in fields(Reading)}
    for name in ("columns", "csv_null"):
        given[name] = _words(name, given[name])
    for name in ("csv_delimiter", "csv_decimal", "csv_thousands"):
        text = given[name]
        if text is not None and not (isinstance(text, str) and len(text) == 1):
            raise ArgumentError(f"{name}={text!r} is not allowed; give one character")
    for name, allowed in (("on_bad_file", OnBadFile), ("time_unit", TimeUnit)):
        if given[name] is not None and given[name] not in get_args(allowed):
            choices = ", ".join(map(repr, get_args(allowed)))
            raise ArgumentError(f"{name}={given[name]!r} is not allowed; choose one of {choices}")
    if given["id_from_path"] is not None:
        PathPattern(given["id_from_path"])
    reading = Reading(**given)
    time_type(pa.array([], pa.string()), "", reading)  # refuses formats and zones that do not exist
    return reading


def _words(name: str, given: Any) -> tuple[str, ...]:
    """Texts of a list, each once."""
    words = [given] if isinstance(given, str) else list(given or ())
    if not all(isinstance(word, str) and word for word in words) or len(set(words)) < len(words):
        raise ArgumentError(f"{name}={given!r} is not allowed; give a list of texts, each once")
    return tuple(words)


def _ids(column_id: Any) -> str | tuple[str, ...]:
    """One column name, or several that make up an id."""
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
        raise ArgumentError(
            f"{argument}={list(given)} is empty or names a column twice; name each column once"
        )
    return str(given[0]) if len(given) == 1 else tuple(given)


def _check_column(argument: str, name: Any) -> None:
    if name is not None and not isinstance(name, str):
        raise ArgumentError(
            f"{argument}={name!r} is a {type(name).__name__}, but column names are text: "
            "give a string"
        )


def _check_rows_named(source: Any, table: Any, query: Any) -> None:
    """A database comes with a table or a query, and files with none."""
    for name, value in (("table", table), ("query", query)):
        if value is not None and not isinstance(value, str):
            raise ArgumentError(f"{name} is a {type(value).__name__}; give a string")
    check_rows_named(_locations(source), table, query)


def _check_report_url(url: Any) -> None:
    """It is shown on pages and stored by servers, and reports are looked for below it."""
    pattern = PARAMETERS["report_url"].pattern
    assert pattern is not None
    if url is not None and not (isinstance(url, str) and re.fullmatch(pattern.text, url)):
        shown = url if isinstance(url, str) and "@" not in url else "..."
        raise ArgumentError(f"report_url={shown!r} is not allowed; give {pattern.allowed}")


def _locations(source: Any) -> str | tuple[str, ...]:
    if isinstance(source, list | tuple):
        return tuple(_location(one, "source") for one in source)
    return _location(source, "source")


def _location(value: Any, argument: str) -> str:
    """A URL as it is, or a path made absolute, because workers have other working directories."""
    if not isinstance(value, str | os.PathLike):
        remedy = "extract_features takes frames" if argument == "source" else "give a string"
        raise ArgumentError(
            f"{argument} is a {type(value).__name__}, but must be a path or URL; {remedy}"
        )
    text = os.fspath(value)
    if not text:
        raise ArgumentError(f"{argument}='' is not allowed; give a path or URL")
    if argument == "source":
        text = demo_location(text)
    return text if "://" in text else str(Path(text).expanduser().absolute())
