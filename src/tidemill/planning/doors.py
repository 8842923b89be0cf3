"""Which parameters each flow and its command take, and their defaults.

A flow is described by a :class:`Door`: the groups of parameters it takes, and the defaults and help
texts that differ from the table in :mod:`tidemill.planning.parameters`. A parameter added to a
group appears at every door that takes the group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tidemill.errors import ArgumentError
from tidemill.planning.parameters import PARAMETERS, FlowParameter

__all__ = [
    "BACKFILL",
    "COSTS",
    "DOORS",
    "EXTRACT",
    "EXTRACT_INTERVAL",
    "FLOW_DOORS",
    "GROUPS",
    "RETENTION",
    "SELECT",
    "Door",
    "check_number",
]


@dataclass(frozen=True, slots=True)
class Door:
    """The parameters of one flow and its command: groups of the table, with their differences."""

    name: str  # of the flow and of the command
    groups: tuple[str, ...]  # keys of :data:`GROUPS`
    defaults: Mapping[str, Any] = field(default_factory=dict)  # that differ from the table
    helps: Mapping[str, str] = field(default_factory=dict)  # likewise

    @property
    def parameters(self) -> tuple[FlowParameter, ...]:
        """All parameters: required ones first, then in the order of the groups."""
        listed = [self._own(name, group) for group in self.groups for name in GROUPS[group]]
        return tuple(sorted(listed, key=lambda one: not one.is_required))

    def _own(self, name: str, group: str) -> FlowParameter:
        parameter = PARAMETERS[name]
        heading = parameter.group
        return replace(
            parameter,
            group=f"Rarely needed: {heading.lower()}" if group in _SELDOM else heading,
            is_positional=group in _BY_POSITION,
            default=self.defaults.get(name, parameter.default),
            help=self.helps.get(name, parameter.help),
        )

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given values, completed with defaults.

        Raises
        ------
        TypeError
            If a name is not a parameter of this door, or a required one is missing.

        Examples
        --------
        >>> EXTRACT.complete({"source": "in", "sink": "out", "column_id": "id"})["cluster"]
        'threads'
        """
        known = {one.name: one for one in self.parameters}
        unknown = given.keys() - known.keys()
        if unknown:
            raise TypeError(f"{self.name} has no parameter {min(unknown)!r}; it has {list(known)}")
        required = [name for name, one in known.items() if one.is_required and name not in given]
        if required:
            raise TypeError(f"{self.name} needs a value for {required[0]!r}")
        return {name: given.get(name, one.default) for name, one in known.items()}

    def __iter__(self) -> Iterator[FlowParameter]:
        return iter(self.parameters)

    def __contains__(self, name: str) -> bool:
        return any(name in GROUPS[group] for group in self.groups)


def check_number(name: str, value: float | None) -> None:
    """Refuse a number below a parameter's minimum.

    Raises
    ------
    ArgumentError
        If it is too small, or not a number.

    Examples
    --------
    >>> check_number("part_bytes", 0)
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: part_bytes=0 is not allowed; give 1 or more
    """
    rule = PARAMETERS[name].forms[0].rule
    if value is None and PARAMETERS[name].default is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if "minimum" in rule and not (is_number and value is not None and value >= rule["minimum"]):
        raise ArgumentError(f"{name}={value!r} is not allowed; give {rule['minimum']} or more")
    above = rule.get("exclusiveMinimum")
    if above is not None and not (is_number and value is not None and value > above):
        raise ArgumentError(f"{name}={value!r} is not allowed; give a number above {above}")


#: Groups of parameters, in the order in which a person would think of them: that of the form.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "source": ("source",),
    "sink": ("sink",),
    "matrix": ("matrix",),
    "target": ("target", "column_target"),
    "id": ("column_id",),
    "sort": ("column_sort",),
    "time": ("column_time",),
    "values": ("column_kind", "column_value"),
    "features": ("settings", "kind_to_settings"),
    "span": ("start", "end"),
    "zone": ("input_timezone",),
    "calendar": ("every", "timezone", "anchor", "window", "lag"),
    "latest": ("lookback", "interval_start"),
    "many": ("order", "concurrency", "dry_run"),
    "again": ("recalculate",),
    "empty": ("on_empty", "max_wait"),
    "policies": ("on_nan", "on_duplicate", "on_error"),
    "files": ("on_bad_file",),
    "table": ("on_settings_change", "checks"),
    "quarantine": ("retry_quarantined",),
    "cluster": ("cluster",),
    "repeating": ("retries", "retry_delay_seconds"),
    "tables": ("tables",),
    "keeping": ("keep", "drop_after"),
    "choosing": ("ml_task", "fdr_level", "max_features"),
    "rows": ("interval", "column_interval"),
    "windows": ("per_window", "min_share"),
    "results": ("output", "relevance_file"),
    "testing": (
        "multiclass",
        "n_significant",
        "hypotheses_independent",
        "test_for_binary_target_real_feature",
    ),
    "memory": ("max_bytes",),
    # What few people need.
    "places": ("wait_for_sink", "work_dir"),
    "storage": ("storage_options",),
    "workers": ("modules",),
    "parts": ("part_bytes", "series_seconds"),
    "silence": ("stall_seconds",),
    "reports": ("report_url",),
    "database": ("table", "query"),
    "times": ("time_format", "time_unit"),
    "paths": ("id_from_path",),
    "csv": (
        "columns",
        "csv_delimiter",
        "csv_decimal",
        "csv_thousands",
        "csv_encoding",
        "csv_comment",
        "csv_null",
    ),
}

_DATA = ("source", "sink", "id")
_RARE = (
    "places", "storage", "workers", "parts", "silence", "reports", "database", "times", "paths",
    "csv",
)  # fmt: skip
#: All groups that few people need.
_SELDOM = (*_RARE, "testing", "memory")
#: Groups whose parameters may be given by position; all others only by name.
_BY_POSITION = (
    *_DATA, "sort", "time", "values", "features", "span", "tables", "matrix", "target"
)  # fmt: skip
EXTRACT = Door(
    "extract",
    (
        *_DATA, "sort", "values", "features", "zone", "policies", "files", "quarantine", "cluster",
        *_RARE,
    ),
    defaults={"wait_for_sink": 0.0},
)  # fmt: skip
_OF_TABLES: dict[str, Any] = {
    "on_nan": "quarantine", "on_error": "nan", "on_bad_file": "quarantine"
}  # fmt: skip
_TABLE_SINK = "Folder or URL of the Delta table. Each interval is one partition."
EXTRACT_INTERVAL = Door(
    "extract-interval",
    (
        *_DATA, "time", "values", "features", "zone", "calendar", "latest", "again", "empty",
        "policies", "files", "table", "quarantine", "cluster", "repeating", *_RARE,
    ),
    defaults=_OF_TABLES,
    helps={"sink": _TABLE_SINK},
)  # fmt: skip
BACKFILL = Door(
    "backfill",
    (
        *_DATA, "time", "values", "features", "span", "zone", "calendar", "many", "again",
        "policies", "files", "table", "quarantine", "cluster", "repeating", *_RARE,
    ),
    defaults=_OF_TABLES,
    helps={
        "sink": _TABLE_SINK,
        "lag": "How long after its end an interval is considered closed, such as 0s, 5min or 2h. "
        "Intervals that are still open are skipped.",
        "recalculate": "Also calculate intervals that are up to date.",
        "retries": "How many times to retry an interval after a transient error, 0 or more.",
    },
)  # fmt: skip
#: The command `costs`, which is not a flow.
COSTS = Door(
    "costs",
    (
        "source", "id", "sort", "values", "features", "zone", "policies", "files", "storage",
        "workers", "database", "times", "paths", "csv",
    ),
)  # fmt: skip
#: The flow that keeps tables in order; the command `clean` does the same for one of them.
RETENTION = Door(
    "retention",
    ("tables", "keeping", "places", "storage"),
    helps={
        "wait_for_sink": "Seconds to wait if a run publishes while intervals are to be dropped, "
        "0 or more.",
        "work_dir": "Folder that the runs of these tables were given for temporary data. Default: "
        "next to the tables.",
    },
)
#: The flow that chooses the columns of a matrix that matter for a target.
SELECT = Door(
    "select",
    (
        "matrix", "target", "id", "choosing", "rows", "windows", "results", "testing", "memory",
        "storage", "workers",
    ),
    defaults={"column_id": None},
    helps={
        "column_id": "Column of the target that holds the ids, or a list of columns for ids of "
        "several columns. Default: named as in the matrix.",
    },
)  # fmt: skip
#: The flows with a command of the same name, by name.
DOORS: Mapping[str, Door] = {
    door.name: door for door in (EXTRACT, EXTRACT_INTERVAL, BACKFILL, SELECT)
}
#: All flows, by name.
FLOW_DOORS: Mapping[str, Door] = {**DOORS, RETENTION.name: RETENTION}
