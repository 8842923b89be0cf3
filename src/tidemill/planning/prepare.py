"""From a request to a plan: examine the input, check everything, cut the parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from tidemill.calculators import costs
from tidemill.calculators.registry import identities
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, NoRowsError, SourceError
from tidemill.model.aliases import Features, Floats
from tidemill.model.interval import Interval
from tidemill.model.plan import RESULTS_VERSION, Kept, Plan
from tidemill.model.source import Source
from tidemill.model.versions import versions
from tidemill.planning.carryover import find_kept
from tidemill.planning.features import features_left
from tidemill.planning.parts import Seconds, make_parts
from tidemill.planning.request import Request, source_text
from tidemill.planning.snapshots import drop_source, reads_database, take_snapshot
from tidemill.planning.table_fit import fit_table
from tidemill.sources.files.cautions import caution_of
from tidemill.sources.files.open import (
    InputLook,
    files_of_span,
    look_at_input,
    open_source,
)
from tidemill.sources.files.statistics import Statistics, gather_statistics
from tidemill.sources.files.window_digest import read_window
from tidemill.storage.check_columns import check_columns
from tidemill.storage.check_sink import check_sink
from tidemill.storage.intervals import file_identities
from tidemill.storage.layout import SinkLayout

__all__ = [
    "check_request_columns",
    "find_interval_files",
    "look_at_files",
    "open_input",
    "prepare",
    "result_key",
    "validate_request",
    "warning_of",
]

#: Seconds to digest and write one cell of the matrix.
WRITE_SECONDS = 3e-8


def validate_request(request: Request) -> Request:
    """Check a request against its sink and input before anything starts; writes nothing.

    Returns
    -------
    Request
        The same request with its input opened, so that the run does not check it again.

    Raises
    ------
    InputError, SinkError
        As the run itself would.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    check_sink(layout, request.locations, intervals=request.interval is not None)
    source = open_input(request)
    _identities(request.settings.canonical())
    return replace(request, examined=source, validated=True)


def open_input(request: Request) -> Source:
    """Open the input of a request and check that it fits the settings.

    Raises
    ------
    InputError
        If files, columns, kinds or settings cannot be used.
    """
    source = _open(request)
    check_request_columns(request, source)
    _check_times(request.settings, source)
    return source


def check_request_columns(request: Request, source: Source) -> None:
    """Check that the sink can hold the columns that the settings make of an input.

    Raises
    ------
    InputError
        If kinds, settings or names of columns cannot be used.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    columns = request.settings.columns(source.kinds)
    check_columns(layout, source.columns.ids, columns, intervals=request.interval is not None)


def prepare(request: Request) -> tuple[Plan, Statistics]:
    """Read the input's statistics and plan the request; writes nothing.

    Returns
    -------
    Plan, Statistics
        The statistics of the input, which the plan is based on.

    Raises
    ------
    InputError
        If files, columns, kinds or settings cannot be used.
    """
    settings, source = request.settings, open_input(request)
    columns = settings.columns(source.kinds)
    canonical = settings.canonical()
    facts = canonical, asdict(request.policies), request.interval, request.recalculates
    key = partial(result_key, source, *facts)
    kept = _kept(request, source, key)
    statistics = gather_statistics(source)
    features = features_left(settings, source.kinds, kept.columns if kept else ())
    cost = _seconds(list(features.values()), len(columns))
    layout, parts = make_parts(source, statistics, cost, part_bytes=request.part_bytes)
    plan = Plan(
        result_key=key(kept.result_key if kept else ""),
        source=source,
        settings=canonical,
        policies=request.policies,
        layout=layout,
        parts=parts,
        columns=columns,
        features=features,
        modules=request.modules,
        interval=request.interval,
        checks=request.checks,
        versions=versions(),
        kept=kept,
    )
    return plan, statistics


def warning_of(plan: Plan, statistics: Statistics) -> str:
    """A warning to show before the run: doubts about the input, and slow calculators.

    Returns
    -------
    str
        "" if there is nothing to say.
    """
    profile = statistics.profile
    features = plan.features
    lengths = dict.fromkeys(features, profile.lengths)
    slow = costs.quadratic_warning(features, lengths, profile.counts)
    return "; ".join(one for one in (caution_of(plan.source), slow) if one)


def result_key(
    source: Source,
    settings: Mapping[str, Any],
    policies: Mapping[str, str],
    interval: Interval | None = None,
    recalculates: str = "",
    keeps: str = "",
) -> str:
    """SHA-256 of everything that determines the values of a result, and of nothing else.

    Raises
    ------
    SettingsError
        If the code of a custom calculator cannot be read and it has no version.
    """
    facts: dict[str, Any] = {
        "source": source.fingerprint,
        "columns": asdict(source.columns),
        "kinds": source.kinds,
        "settings": settings,
        "policies": policies,
        "interval": interval and interval.name,
        "window": interval and [interval.window_start, interval.end],
        "results_version": RESULTS_VERSION,
    }
    if recalculates:
        facts["recalculates"] = recalculates
    if keeps:  # the key of the result whose features stay
        facts["keeps"] = keeps
    if own := _identities(settings):
        facts["calculators"] = own
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _identities(settings: Mapping[str, Any]) -> dict[str, str]:
    """The custom calculators of canonical settings, and what identifies their code."""
    return identities(name for features in settings.values() for name, _ in features)


def _open(request: Request) -> Source:
    if request.interval is None and request.examined is not None:
        return request.examined
    if reads_database(request):
        return _open_database(request)
    if request.interval is None:
        return open_source(
            request.locations,
            column_id=request.column_id,
            column_sort=request.column_sort,
            column_kind=request.column_kind,
            column_value=request.column_value,
            storage_options=request.storage_options,
            reading=request.reading,
        )
    found = find_interval_files(request)
    source = request.examined
    if source is None or file_identities(source) != file_identities(found):
        source = read_window(found)
    _check_any(request, source)
    return source


def _open_database(request: Request) -> Source:
    source = request.examined or take_snapshot(request)
    _check_any(request, source)
    return source


def _check_any(request: Request, source: Source) -> None:
    """Refuse a window without rows."""
    if request.interval is not None and not source.rows:
        drop_source(source)
        raise NoRowsError(
            f"the input at {source.origin or source_text(request)} has no row in the window of "
            f"interval {request.interval.label}; nothing is published"
        )


def find_interval_files(request: Request, look: InputLook | None = None) -> Source:
    """Find the files that may hold rows of the interval's window, without reading rows.

    Parameters
    ----------
    request : for the interval
    look : at the input, if its files are not to be looked for now

    Raises
    ------
    SourceError
        If files or columns cannot be used.
    """
    assert request.interval is not None, "the request is about an interval"
    with _in_terms_of_intervals():
        span = request.interval.window_start, request.interval.end
        found = files_of_span(look or look_at_files(request), span)
    return fit_table(request, found)


def look_at_files(request: Request) -> InputLook:
    """Look at all files of an input once, for many intervals.

    Raises
    ------
    SourceError
        If files or columns cannot be used.
    """
    roles = request.column_id, request.column_sort, request.column_kind, request.column_value
    with _in_terms_of_intervals():
        return look_at_input(request.locations, roles, request.storage_options, request.reading)


@contextmanager
def _in_terms_of_intervals() -> Iterator[None]:
    """The sort column of intervals goes by another name."""
    try:
        yield
    except SourceError as error:
        raise type(error)(str(error).replace("column_sort=", "column_time=")) from error


def _kept(request: Request, source: Source, key_of: Callable[[str], str]) -> Kept | None:
    """The published rows to add new features to, if that is requested."""
    if request.interval is None or request.on_settings_change != "append" or request.recalculates:
        return None
    layout = SinkLayout.of(request.sink, request.storage_options)
    name, asked = request.interval.name, (request.settings.canonical(), request.policies)
    return find_kept(layout, name, source, *asked, key_of)


def _seconds(features: Sequence[Features], n_columns: int) -> Seconds:
    """The cost model of an id: read its rows, calculate its kinds, write its row."""

    def seconds(lengths: Floats, counts: Floats) -> float:
        values = float(np.dot(lengths, counts)) * len(features)
        reading = 8 * values / costs.READ_BYTES_PER_SECOND
        writing = float(counts.sum()) * n_columns * WRITE_SECONDS
        return reading + writing + sum(costs.predict(one, lengths, counts) for one in features)

    return seconds


def _check_times(settings: Settings, source: Source) -> None:
    """Calculators that use timestamps need a sort column of dates."""
    if not settings.needs_times(source.kinds):
        return
    if source.columns.sort is None:
        raise ArgumentError(
            "column_sort=None: the settings name calculators that use timestamps "
            "(linear_trend_timewise); name a column of timestamps, or leave these calculators out"
        )
