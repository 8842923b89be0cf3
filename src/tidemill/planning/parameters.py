"""The table of parameters: each one's name, type, rule, default and help, for every door.

Flow signatures and docstrings, Prefect's run form, the command's options, requests and the backfill
command that a report offers are all made from it. Which flow takes which parameters is in
:mod:`tidemill.planning.doors`.

A rule is what the form shows and the server checks, as keywords of JSON schema. In Python the
engine's own checks apply, whose errors say what to do; a rule refuses nothing that they allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from tidemill.model.interval import MOST_INTERVALS
from tidemill.model.policies import OnDuplicate, OnError, OnNan, OnSettingsChange
from tidemill.planning.check_limits import CHECK_LIMITS, LEVELS, CheckLimits

__all__ = ["PARAMETERS", "REQUIRED", "Form", "Parameter"]

OnEmpty = Literal["wait", "skip", "fail"]
Order = Literal["oldest first", "newest first"]


class _Required:
    """The default of a parameter that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Form:
    """One form that a value may have: its type, and what the run form says of it."""

    type: Any
    rule: Mapping[str, Any] = field(default_factory=dict)  # keywords of JSON schema


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, wherever it appears."""

    name: str
    group: str  # heading under which the form and the docstrings show it
    forms: tuple[Form, ...]
    help: str  # for the form and docstrings
    default: Any = REQUIRED
    short: str = ""  # for the command's help
    is_repeated: bool = False  # the command takes the option once for each value
    option: str = ""  # of the command; "": the name with dashes

    @property
    def is_required(self) -> bool:
        """Whether a value has to be given."""
        return self.default is REQUIRED

    @property
    def flag(self) -> str:
        """The command's option."""
        return self.option or f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """All values there are, if it is a choice."""
        only = self.forms[0].type
        return get_args(only) if len(self.forms) == 1 and "Literal" in repr(only) else ()


# What parse_duration, Calendar and read_times accept, as far as a pattern can say it.
_DAYS = r"(\s*\d+\s*[dDwW])+\s*"
_CLOCK = r"(\s*\d+(\.\d+)?\s*([mM][sS]|[mM][iI][nN]|[sShH]))+\s*"
_LENGTH = r"(\s*\d+(\.\d+)?\s*([mM][sS]|[mM][iI][nN]|[sShHdDwW]))+\s*"
_TIME = (
    r"\d{4}-?\d{2}-?\d{2}"
    r"([T ]\d{2}(:?\d{2}(:?\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
)
_FILLED = {"minLength": 1}
_TEXT = {"type": "string", **_FILLED}
_SPAN = Form(str, {"pattern": f"^(?=.*[1-9])({_DAYS}|{_CLOCK})$"})
_MOMENT = Form(str, {"pattern": f"^{_TIME}$"})
_COLUMN = Form(str, _FILLED)
_COLUMNS = (
    Form(str, {"title": "one", **_FILLED}),
    Form(list[str], {"title": "several", "items": _TEXT, "minItems": 2}),
)
_SECONDS = Form(float, {"minimum": 0})
_YES = Form(bool)


def _choice(literal: Any) -> tuple[Form, ...]:
    return (Form(literal),)


def _checks_rule() -> dict[str, Any]:
    """What :func:`~tidemill.planning.check_limits.parse_checks` takes, a field for each limit."""
    properties = {name: _check_rule(check) for name, check in CHECK_LIMITS.items()}
    return {"title": "limits", "properties": properties, "additionalProperties": False}


def _check_rule(check: CheckLimits) -> dict[str, Any]:
    share = {"title": "share", "type": "number", "minimum": 0, "exclusiveMaximum": 1}
    count = {"title": "number", "type": "integer", "minimum": 0}
    off = {"title": "off", "type": "string", "enum": ["off"]}
    levels = {
        level: {
            "title": level,
            "description": f"Default: {check.defaults.get(level, 'off')}.",
            "anyOf": [share if check.is_share else count, off],
        }
        for level in sorted(LEVELS, reverse=True)
    }
    mapping = {
        "title": "limits", "type": "object", "properties": levels, "additionalProperties": False,
    }  # fmt: skip
    about = f"Limits of the {check.summary}."
    return {"title": check.name, "description": about, "anyOf": [mapping, off]}


_TABLE = (
    Parameter(
        "source",
        "Input",
        (
            Form(str, {"title": "one", **_FILLED}),
            Form(list[str], {"title": "list", "items": _TEXT, "minItems": 1}),
        ),
        "Path, folder, glob or URL of Parquet or CSV files, or a list of them.",
    ),
    Parameter(
        "sink",
        "Output",
        (Form(str, _FILLED),),
        "Where the feature matrix goes. A path that ends in .parquet or .csv is one file; "
        "anything else is the folder or URL of a Delta table.",
    ),
    Parameter(
        "column_id",
        "Columns",
        _COLUMNS,
        "Column that says which series a row belongs to, or a list of columns that say it "
        "together.",
        short="Which series a row belongs to; several together make up one id.",
        is_repeated=True,
    ),
    Parameter(
        "column_sort",
        "Columns",
        (_COLUMN,),
        "Column that orders the rows of a series. Without it the order of the files and rows is "
        "kept.",
        None,
        short="Orders the rows of a series.",
    ),
    Parameter(
        "column_time",
        "Columns",
        (_COLUMN,),
        "Column of timestamps. Those without a time zone are read as UTC.",
        short="Column of timestamps.",
    ),
    Parameter(
        "column_kind",
        "Columns",
        (_COLUMN,),
        "Column that names the kind of each row (long format).",
        None,
        short="Names the kind of each row (long format).",
    ),
    Parameter(
        "column_value",
        "Columns",
        _COLUMNS,
        "Column with the values, or a list of columns that are kinds. Without it every other "
        "column is a kind.",
        None,
        short="Values; default: every other column is a kind.",
        is_repeated=True,
    ),
    Parameter(
        "settings",
        "Features",
        (
            Form(Literal["minimal", "efficient", "comprehensive"], {"title": "preset"}),
            Form(str, {"title": "file", "pattern": r"\.([yY][aA]?[mM][lL]|[jJ][sS][oO][nN])$"}),
            Form(dict[str, Any], {"title": "mapping"}),
        ),
        "Which features: a preset (minimal, efficient, comprehensive), the path of a settings file "
        "that ends in .yaml, .yml or .json, or a mapping from calculators to lists of parameters.",
        "comprehensive",
        short="minimal, efficient, comprehensive, a settings file, or settings as JSON.",
    ),
    Parameter(
        "kind_to_settings",
        "Features",
        (Form(dict[str, Any]),),
        "Settings of single kinds, as a mapping from kinds to settings. They replace the settings "
        "of all kinds.",
        None,
        short="Settings of single kinds, as JSON.",
    ),
    Parameter(
        "every",
        "Intervals",
        (_SPAN,),
        "Length of an interval, above zero: days or weeks such as 1d or 1w, which are local, or "
        "hours, minutes and seconds such as 1h, 15min or 1h30min.",
        "1d",
        short="Length of an interval.",
    ),
    Parameter(
        "timezone",
        "Intervals",
        (Form(str, {"pattern": r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"}),),
        "IANA name of the time zone whose days count, such as UTC or Europe/Berlin.",
        "UTC",
        short="Time zone whose days count.",
    ),
    Parameter(
        "anchor",
        "Intervals",
        (Form(str, {"pattern": f"^({_LENGTH}|{_TIME})$"}),),
        "A time at which an interval starts, such as 2026-11-01T06:00, or a duration shorter than "
        "every, such as 6h. Default: midnight.",
        None,
        short="A time at which an interval starts; default: midnight.",
    ),
    Parameter(
        "window",
        "Intervals",
        (_SPAN,),
        "How much history up to an interval's end each row sees, above zero and in the form of "
        "every, such as 7d or 36h. Default: the interval.",
        None,
        short="History that each row sees; default: the interval.",
    ),
    Parameter(
        "lag",
        "Intervals",
        (Form(str, {"pattern": f"^{_LENGTH}$"}),),
        "How long after its end an interval counts as closed, such as 0s, 5min or 2h.",
        "0s",
        short="How long after its end an interval counts as closed.",
    ),
    Parameter(
        "lookback",
        "Intervals",
        (Form(int, {"minimum": 0, "maximum": MOST_INTERVALS}),),
        f"How many earlier intervals are checked again, 0 or more and at most {MOST_INTERVALS}. "
        "Default: enough for the window.",
        None,
        short="Earlier intervals that are checked again.",
    ),
    Parameter(
        "interval_start",
        "Intervals",
        (_MOMENT,),
        "Start of the interval, for a manual run: a local time such as 2026-11-01 or "
        "2026-11-01T06:00, one with its offset such as 2026-11-01T06:00+01:00, or an interval's "
        "name such as 20261101T060000Z. Default: the latest closed one.",
        None,
        short="Default: the latest closed interval.",
    ),
    Parameter(
        "start",
        "Intervals",
        (_MOMENT,),
        "Start of the first interval: a local time such as 2026-11-01 or 2026-11-01T06:00, one "
        "with its offset such as 2026-11-01T06:00+01:00, or an interval's name such as "
        "20261101T060000Z.",
        short="Start of the first interval: 2026-11-01.",
    ),
    Parameter(
        "end",
        "Intervals",
        (_MOMENT,),
        "End of the last interval, in the form of start, such as 2026-11-01.",
        short="End of the last interval.",
    ),
    Parameter(
        "order",
        "Intervals",
        _choice(Order),
        "Which intervals come first: oldest first or newest first.",
        "oldest first",
        short="Which intervals come first.",
    ),
    Parameter(
        "concurrency",
        "Intervals",
        (Form(int, {"minimum": 1}),),
        "How many intervals are worked on at once, 1 or more. They are published in order.",
        2,
        short="Intervals that are worked on at once. They are published in order.",
    ),
    Parameter(
        "dry_run",
        "Intervals",
        (_YES,),
        "Report what would be done, and do nothing.",
        default=False,
        short="Report what would be done, and do nothing.",
    ),
    Parameter(
        "recalculate",
        "Intervals",
        (_YES,),
        "Calculate the interval even if nothing changed.",
        default=False,
        short="Even if nothing changed.",
    ),
    Parameter(
        "on_empty",
        "Intervals",
        _choice(OnEmpty),
        "What to do if the interval's window has no rows. wait: check again, up to max_wait "
        "seconds; skip: succeed and calculate nothing; fail: fail at once.",
        "fail",
        short="If the window has no rows.",
    ),
    Parameter(
        "max_wait",
        "Intervals",
        (_SECONDS,),
        "Seconds to wait for rows before the run fails, 0 or more.",
        3600.0,
        short="Seconds to wait for rows, with --on-empty wait.",
    ),
    Parameter(
        "on_nan",
        "Policies",
        _choice(OnNan),
        "What happens to a series with NaN or infinite values. raise: the run fails; omit: its "
        "other values count; quarantine: it gets no row, and the run goes on.",
        "raise",
        short="Series with NaN or infinite values.",
    ),
    Parameter(
        "on_duplicate",
        "Policies",
        _choice(OnDuplicate),
        "What happens to rows with the same id, kind and sort value. raise: the run fails; first, "
        "last: that one counts; mean: the mean of their values counts.",
        "raise",
        short="Rows with the same id, kind and sort value.",
    ),
    Parameter(
        "on_error",
        "Policies",
        _choice(OnError),
        "What happens if a calculator raises an error. raise: the run fails; nan: its cell is NaN, "
        "and the run goes on.",
        "raise",
        short="Calculators that raise an error.",
    ),
    Parameter(
        "on_settings_change",
        "Policies",
        _choice(OnSettingsChange),
        "What happens if the table was made with other settings. refuse: the run fails and names "
        "the difference; append: new features are added, and only these are calculated; "
        "recalculate: all checked intervals are calculated with the new settings.",
        "refuse",
        short="If the table was made with other settings; append calculates new features only.",
    ),
    Parameter(
        "checks",
        "Policies",
        (Form(dict[str, Any], _checks_rule()),),
        "Limits that warn or fail, by check: quarantined_series (a whole number, 0 or more), "
        "failed_cells, rows_drop and nan_rise (shares, 0 or more and below 1), or off. As in "
        '{"rows_drop": {"fail": 0.5, "warn": "off"}}. What is not named keeps its default.',
        None,
        short='Limits as JSON: {"rows_drop": {"fail": 0.3}}.',
    ),
    Parameter(
        "cluster",
        "Running",
        (
            Form(
                str,
                {
                    "pattern": r"^(none|(threads|processes)(:0*[1-9]\d*)?|(tcp|tls)://[^/]+:\d+"
                    r"|.*\.(yaml|yml|json))$"
                },
            ),
        ),
        "none, threads[:N], processes[:N] (N is 1 or more), tcp://host:port, tls://host:port, or "
        "the path of a file that ends in .yaml, .yml or .json, with keywords of DaskTaskRunner.",
        "threads",
        short="none, threads[:N], processes[:N], tcp://host:port, or a cluster file.",
    ),
    Parameter(
        "retries",
        "Running",
        (Form(int, {"minimum": 0}),),
        "How often the run is repeated after an error that may pass, such as a lost connection, 0 "
        "or more.",
        2,
        short="Repetitions after errors that may pass.",
    ),
    Parameter(
        "retry_delay_seconds",
        "Running",
        (_SECONDS,),
        "Seconds before each repetition, 0 or more.",
        60.0,
        short="Seconds before each repetition.",
    ),
    Parameter(
        "wait_for_sink",
        "Running",
        (_SECONDS,),
        "Seconds to wait while another run is writing to the sink, 0 or more.",
        3600.0,
        short="Seconds to wait while another run is writing to OUTPUT.",
    ),
    Parameter(
        "work_dir",
        "Running",
        (Form(str, _FILLED),),
        "Folder for temporary data that all workers can reach. Default: beside the sink.",
        None,
        short="Folder for temporary data; default: beside OUTPUT.",
    ),
    Parameter(
        "storage_options",
        "Running",
        (
            Form(
                dict[str, str],
                {
                    # Names of environment variables: the server would keep a secret typed here.
                    "additionalProperties": {
                        "type": "string",
                        "pattern": r"^(?!A[A-Z]{3}[A-Z0-9]{16}$)[A-Z_][A-Z0-9_]{0,127}$",
                    }
                },
            ),
        ),
        "Options of the object store, each with the name of the environment variable that holds "
        "its value, such as AWS_REGION: capitals, digits and underscores. Never the value itself.",
        None,
        short="Option of the object store, and the environment variable that holds its value.",
        is_repeated=True,
        option="--storage-option",
    ),
    Parameter(
        "modules",
        "Running",
        (
            Form(
                list[str],
                {"items": {"type": "string", "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"}},
            ),
        ),
        "Importable modules that register custom calculators, such as mine.calculators; every "
        "worker imports them.",
        None,
        short="Module that registers custom calculators.",
        is_repeated=True,
        option="--module",
    ),
    Parameter(
        "part_bytes",
        "Running",
        (Form(int, {"minimum": 1}),),
        "Bytes of input per part, 1 or more. Default: by the size of the input.",
        None,
        short="Bytes of input per part.",
    ),
    Parameter(
        "isolation_seconds",
        "Running",
        (Form(float, {"exclusiveMinimum": 0}),),
        "Seconds that a few series may take in an isolated process before they count as hung, "
        "above 0.",
        300.0,
        short="Seconds until series in an isolated process count as hung.",
    ),
)
#: All parameters by name.
PARAMETERS: Mapping[str, Parameter] = {parameter.name: parameter for parameter in _TABLE}
