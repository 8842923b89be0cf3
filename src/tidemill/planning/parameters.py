"""The table of parameters: name, type, rule, default and help of each, for every door.

Flow signatures and docstrings, Prefect's run form, the command's options, requests and the backfill
command in a report are all built from it. :mod:`tidemill.planning.doors` defines which flow takes
which parameters.

A rule holds JSON schema keywords, and a pattern says which texts are allowed: the form shows them
and the server checks them. In Python the engine's own checks apply, whose errors explain what to
do; a rule never refuses what they allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from tidemill.model.interval import MOST_INTERVALS
from tidemill.model.policies import OnBadFile, OnDuplicate, OnError, OnNan, OnSettingsChange
from tidemill.planning.check_limits import CHECK_LIMITS, LEVELS, CheckLimits

__all__ = ["PARAMETERS", "REQUIRED", "FlowParameter", "Form", "Pattern"]

OnEmpty = Literal["wait", "skip", "fail"]
MlTask = Literal["auto", "classification", "regression"]
Order = Literal["oldest first", "newest first"]
RealFeatureTest = Literal["mann", "smir"]
PerWindow = Literal["interval"]
TimeUnit = Literal["s", "ms", "us", "ns"]


class _Required:
    """Stands for the default of a required parameter."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


class Pattern(NamedTuple):
    """Which texts the run form takes."""

    text: str  # a regular expression, which nobody is shown
    allowed: str  # the same in words, for whoever typed something else
    within: Literal["", "items", "additionalProperties"] = ""  # where the texts of several are

    @property
    def rule(self) -> dict[str, Any]:
        """JSON schema keywords whose error is the words: of `pattern` it would be the pattern."""
        fits: dict[str, Any] = {"pattern": self.text}
        type_ = {"": "string", "items": "array", "additionalProperties": "object"}[self.within]
        other = {"type": type_, "not": {self.within: fits} if self.within else fits}
        return {"if": other, "then": {"const": self.allowed}}


@dataclass(frozen=True, slots=True)
class Form:
    """One type that a value may have, and its rule in the run form."""

    type: Any
    rule: Mapping[str, Any] = field(default_factory=dict)  # JSON schema keywords


@dataclass(frozen=True, slots=True)
class FlowParameter:
    """One parameter, the same at every door."""

    name: str
    group: str  # heading under which the form and the docstrings show it
    forms: tuple[Form, ...]
    help: str  # in the form and in docstrings
    default: Any = REQUIRED
    short: str = ""  # in the command's help
    is_repeated: bool = False  # the command's option is repeated, once per value
    option: str = ""  # of the command; "": the name with dashes for underscores
    is_positional: bool = False  # whether it may be given by position, at its door
    pattern: Pattern | None = None  # of texts, in the run form
    paths: str = ""  # pattern of texts that are paths or URLs; "": none is

    @property
    def is_required(self) -> bool:
        """Whether a value must be given."""
        return self.default is REQUIRED

    @property
    def described(self) -> str:
        """The help under its heading; what is not given by default says so."""
        ends = self.default is None and "Default:" not in self.help
        return f"{self.group}. {self.help}" + " Default: none." * ends

    @property
    def flag(self) -> str:
        """The command's option."""
        return self.option or f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values of a choice; empty for any other parameter."""
        only = self.forms[0].type
        return get_args(only) if len(self.forms) == 1 and "Literal" in repr(only) else ()


# What parse_duration, Calendar and read_times accept, as far as a pattern can express it.
_DAYS = r"(\s*\d+\s*[dDwW])+\s*"
_CLOCK = r"(\s*\d+(\.\d+)?\s*([mM][sS]|[mM][iI][nN]|[sShH]))+\s*"
_LENGTH = r"(\s*\d+(\.\d+)?\s*([mM][sS]|[mM][iI][nN]|[sShHdDwW]))+\s*"
_TIME = (
    r"\d{4}-?\d{2}-?\d{2}"
    r"([T ]\d{2}(:?\d{2}(:?\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
)
_AREAS = (
    "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian"
    "|Mexico|Pacific|US|posix|right"
)
_OLD_ZONES = (
    "CET|CST6CDT|Cuba|EET|EST|EST5EDT|Egypt|Eire|Factory|GB|GB-Eire|GMT|GMT[+-]?0|Greenwich|HST"
    "|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Kwajalein|Libya|MET|MST|MST7MDT|NZ|NZ-CHAT|Navajo"
    "|PRC|PST8PDT|Poland|Portugal|ROC|ROK|Singapore|Turkey|UCT|UTC|Universal|W-SU|WET|Zulu|localtime"
)
_ZONE = Pattern(
    rf"^(({_AREAS})(/[A-Za-z0-9_+-]+)+|{_OLD_ZONES})$",
    "the IANA name of a time zone, such as UTC or Europe/Berlin",
)
_FILLED = {"minLength": 1}
_CHARACTER = {"minLength": 1, "maxLength": 1}
_TEXT = {"type": "string", **_FILLED}
_STR = (Form(str),)
_SPAN = Pattern(
    f"^(?=.*[1-9])({_DAYS}|{_CLOCK})$",
    "a length above zero: days or weeks, such as 1d or 2w, or hours, minutes and seconds, such as "
    "1h, 15min or 1h30min",
)
_AGE = Pattern(f"^(?=.*[1-9]){_LENGTH}$", "a length above zero, such as 30d, 2w or 12h")
_MOMENT = Pattern(
    f"^{_TIME}$", "a time such as 2026-11-01, 2026-11-01T06:00 or 2026-11-01T06:00+01:00"
)
_ANY = "."
_FILE = r"\.([yY][aA]?[mM][lL]|[jJ][sS][oO][nN])$"
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
    """A field for each limit that :func:`~tidemill.planning.check_limits.parse_checks` takes."""
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
    about = f"Limits on the {check.summary}."
    return {"title": check.name, "description": about, "anyOf": [mapping, off]}


_TABLE = (
    FlowParameter(
        "source",
        "Input",
        (
            Form(str, {"title": "one", **_FILLED}),
            Form(list[str], {"title": "list", "items": _TEXT, "minItems": 1}),
        ),
        "Path, folder, glob or URL of the input files (Parquet, CSV, Arrow, JSON lines, ORC) or of "
        "a Delta table, or a list of them; or the URL of a database, such as "
        "postgresql://host/name.",
        paths=_ANY,
    ),
    FlowParameter(
        "table",
        "Input",
        (Form(str, _FILLED),),
        "Table of the database to read, such as sensors or raw.sensors.",
        None,
        short="Table of the database to read.",
    ),
    FlowParameter(
        "query",
        "Input",
        (Form(str, _FILLED),),
        "Query of the database whose rows are read, instead of a table.",
        None,
        short="Query of the database whose rows are read.",
    ),
    FlowParameter(
        "sink",
        "Output",
        (Form(str, _FILLED),),
        "Where to write the feature matrix. A path ending in .parquet or .csv is a single file; "
        "anything else is the folder or URL of a Delta table.",
        paths=_ANY,
    ),
    FlowParameter(
        "column_id",
        "Columns",
        _COLUMNS,
        "Column that identifies the series each row belongs to, or a list of columns that "
        "together identify it.",
        short="Column that identifies a series; repeat it for ids of several columns.",
        is_repeated=True,
    ),
    FlowParameter(
        "column_sort",
        "Columns",
        (_COLUMN,),
        "Column to sort the rows of each series by. Default: keep the order of the files and their "
        "rows.",
        None,
        short="Column to sort the rows of each series by.",
    ),
    FlowParameter(
        "column_time",
        "Columns",
        (_COLUMN,),
        "Column of times: timestamps, dates, ISO 8601 text, other text with time_format, or "
        "integers with time_unit.",
        short="Column of times.",
    ),
    FlowParameter(
        "column_kind",
        "Columns",
        (_COLUMN,),
        "Column that holds the kind of each row (long format). Default: each value column is a "
        "kind.",
        None,
        short="Column that holds the kind of each row (long format).",
    ),
    FlowParameter(
        "column_value",
        "Columns",
        _COLUMNS,
        "Column of values, or a list of value columns, each of which is a kind. Default: every "
        "other column is a kind.",
        None,
        short="Column of values; default: every other column is a kind.",
        is_repeated=True,
    ),
    FlowParameter(
        "time_format",
        "Columns",
        (Form(str, _FILLED),),
        "How times that are text are written, in the directives of Python's strptime, such as "
        "%d.%m.%Y %H:%M. Default: ISO 8601.",
        None,
        short="How times are written, such as '%d.%m.%Y %H:%M'; default: ISO 8601.",
    ),
    FlowParameter(
        "time_unit",
        "Columns",
        _choice(TimeUnit),
        "Unit of times that are integers: s, ms, us or ns since 1970 in UTC. Default: integers are "
        "no times.",
        None,
        short="Unit of times that are integers since 1970.",
    ),
    FlowParameter(
        "input_timezone",
        "Columns",
        _STR,
        "IANA name of the time zone of times that name none, such as Europe/Berlin. Default: UTC, "
        "if timezone is UTC.",
        None,
        short="Time zone of times that name none; default: UTC.",
        pattern=_ZONE,
    ),
    FlowParameter(
        "id_from_path",
        "Columns",
        _STR,
        "Pattern of the ends of the files' paths, with names of columns in braces, such as "
        "{site}/{id}.csv: every file has these columns.",
        None,
        short="Columns in the files' paths, such as '{site}/{id}.csv'.",
        pattern=Pattern(
            r"\{[^{}]+\}", "a path with names of columns in braces, such as {site}/{id}.csv"
        ),
    ),
    FlowParameter(
        "columns",
        "Files",
        (Form(list[str], {"items": _TEXT, "minItems": 1}),),
        "Names of all columns, in order, of files that have no header.",
        None,
        short="Name of a column of files without a header; repeat it for each.",
        is_repeated=True,
        option="--column",
    ),
    FlowParameter(
        "csv_delimiter",
        "Files",
        (Form(str, _CHARACTER),),
        "The one character between fields of CSV files. Default: told from the first lines.",
        None,
        short="Character between the fields of CSV files; default: told from the first lines.",
    ),
    FlowParameter(
        "csv_decimal",
        "Files",
        (Form(str, _CHARACTER),),
        "Decimal mark of CSV files, one character such as a comma. Default: told from the first "
        "lines.",
        None,
        short="Decimal mark of CSV files; default: told from the first lines.",
    ),
    FlowParameter(
        "csv_thousands",
        "Files",
        (Form(str, _CHARACTER),),
        "Mark between the thousands of numbers in CSV files, one character. Default: told from the "
        "first lines.",
        None,
        short="Mark between thousands in CSV files; default: told from the first lines.",
    ),
    FlowParameter(
        "csv_encoding",
        "Files",
        (Form(str, _FILLED),),
        "Encoding of CSV files, such as latin-1. Default: told from the first bytes.",
        None,
        short="Encoding of CSV files, such as latin-1; default: told from the first bytes.",
    ),
    FlowParameter(
        "csv_comment",
        "Files",
        (Form(str, _FILLED),),
        "What comment lines of CSV files begin with, or none where there are no comments. Default: "
        "# and //, unless such a line could be a row.",
        None,
        short="What comment lines of CSV files begin with, or none; default: # and //.",
    ),
    FlowParameter(
        "csv_null",
        "Files",
        (Form(list[str], {"items": _TEXT, "minItems": 1}),),
        "Further words that stand for a missing value in CSV files, such as n.a.; empty fields, "
        "NA, null, - and ? always do.",
        None,
        short="Further word for a missing value in CSV files.",
        is_repeated=True,
    ),
    FlowParameter(
        "settings",
        "Features",
        (
            Form(Literal["minimal", "efficient", "comprehensive"], {"title": "preset"}),
            Form(str, {"title": "file"}),
            Form(dict[str, Any], {"title": "mapping"}),
        ),
        "Which features to calculate: a preset (minimal, efficient, comprehensive), the path of a "
        "settings file ending in .yaml, .yml or .json, or a mapping from calculators to lists of "
        "parameters.",
        "comprehensive",
        short="minimal, efficient, comprehensive, a settings file, or settings as JSON.",
        pattern=Pattern(
            rf"^(minimal|efficient|comprehensive)$|{_FILE}",
            "minimal, efficient, comprehensive, or the path of a file ending in .yaml, .yml or "
            ".json",
        ),
        paths=_FILE,
    ),
    FlowParameter(
        "kind_to_settings",
        "Features",
        (Form(dict[str, Any]),),
        "Settings for individual kinds, as a mapping from kinds to settings. They replace the "
        "general settings for those kinds.",
        None,
        short="Settings for individual kinds, as JSON.",
    ),
    FlowParameter(
        "every",
        "Intervals",
        _STR,
        "Length of an interval, above zero: local days or weeks, such as 1d or 1w, or hours, "
        "minutes and seconds, such as 1h, 15min or 1h30min.",
        "1d",
        short="Length of an interval.",
        pattern=_SPAN,
    ),
    FlowParameter(
        "timezone",
        "Intervals",
        _STR,
        "IANA name of the time zone that defines local days, such as UTC or Europe/Berlin.",
        "UTC",
        short="Time zone that defines local days.",
        pattern=_ZONE,
    ),
    FlowParameter(
        "anchor",
        "Intervals",
        _STR,
        "Any time at which an interval starts, such as 2026-11-01T06:00, or an offset from "
        "midnight shorter than every, such as 6h. Default: midnight.",
        None,
        short="Any time at which an interval starts; default: midnight.",
        pattern=Pattern(
            f"^({_LENGTH}|{_TIME})$", "a time such as 2026-11-01T06:00, or a length such as 6h"
        ),
    ),
    FlowParameter(
        "window",
        "Intervals",
        _STR,
        "How much data before an interval's end each row covers, above zero and in the same format "
        "as every, such as 7d or 36h. Default: the interval itself.",
        None,
        short="Data that each row covers, up to the interval's end; default: the interval.",
        pattern=_SPAN,
    ),
    FlowParameter(
        "lag",
        "Intervals",
        _STR,
        "How long after its end an interval is considered closed, such as 0s, 5min or 2h.",
        "0s",
        short="How long after its end an interval is considered closed.",
        pattern=Pattern(f"^{_LENGTH}$", "a length such as 0s, 5min, 2h or 1d"),
    ),
    FlowParameter(
        "lookback",
        "Intervals",
        (Form(int, {"minimum": 0, "maximum": MOST_INTERVALS}),),
        f"How many earlier intervals to check again, 0 or more and at most {MOST_INTERVALS}. "
        "Default: enough to cover the window.",
        None,
        short="How many earlier intervals to check again.",
    ),
    FlowParameter(
        "interval_start",
        "Intervals",
        _STR,
        "Start of the interval to process in a manual run: a local time such as 2026-11-01 or "
        "2026-11-01T06:00, a time with its offset such as 2026-11-01T06:00+01:00, or an "
        "interval's name such as 20261101T060000Z. Default: the latest closed interval.",
        None,
        short="Start of the interval to process; default: the latest closed interval.",
        pattern=_MOMENT,
    ),
    FlowParameter(
        "start",
        "Intervals",
        _STR,
        "Start of the first interval: a local time such as 2026-11-01 or 2026-11-01T06:00, a time "
        "with its offset such as 2026-11-01T06:00+01:00, or an interval's name such as "
        "20261101T060000Z.",
        short="Start of the first interval, such as 2026-11-01.",
        pattern=_MOMENT,
    ),
    FlowParameter(
        "end",
        "Intervals",
        _STR,
        "End of the last interval, in the same format as start, such as 2026-11-01.",
        short="End of the last interval.",
        pattern=_MOMENT,
    ),
    FlowParameter(
        "order",
        "Intervals",
        _choice(Order),
        "Order in which to process the intervals: oldest first or newest first.",
        "oldest first",
        short="Order in which to process the intervals.",
    ),
    FlowParameter(
        "concurrency",
        "Intervals",
        (Form(int, {"minimum": 1}),),
        "How many intervals to process at once, 1 or more. They are published in order.",
        2,
        short="How many intervals to process at once. They are published in order.",
    ),
    FlowParameter(
        "dry_run",
        "Intervals",
        (_YES,),
        "Only report what would be done.",
        default=False,
        short="Only report what would be done.",
    ),
    FlowParameter(
        "recalculate",
        "Intervals",
        (_YES,),
        "Calculate the interval even if nothing has changed.",
        default=False,
        short="Calculate even if nothing has changed.",
    ),
    FlowParameter(
        "on_empty",
        "Intervals",
        _choice(OnEmpty),
        "What to do if the interval's window has no rows. wait: keep checking for up to max_wait "
        "seconds; skip: succeed without calculating the interval; fail: fail at once.",
        "fail",
        short="What to do if the window has no rows.",
    ),
    FlowParameter(
        "max_wait",
        "Intervals",
        (_SECONDS,),
        "Seconds to wait for rows before failing, 0 or more; used if on_empty is wait.",
        3600.0,
        short="Seconds to wait for rows with --on-empty wait.",
    ),
    FlowParameter(
        "on_nan",
        "Policies",
        _choice(OnNan),
        "What to do with a series that has NaN or infinite values. raise: fail the run; omit: drop "
        "these values; quarantine: leave the series out and continue.",
        "raise",
        short="What to do with series that have NaN or infinite values.",
    ),
    FlowParameter(
        "on_duplicate",
        "Policies",
        _choice(OnDuplicate),
        "What to do with rows that share id, kind and sort value. raise: fail the run; keep: keep "
        "all, in the order of the input; first, last: keep that row; mean: use the mean of their "
        "values.",
        "raise",
        short="What to do with rows that share id, kind and sort value.",
    ),
    FlowParameter(
        "on_error",
        "Policies",
        _choice(OnError),
        "What to do if a calculator raises an error. raise: fail the run; nan: set its cell to NaN "
        "and continue.",
        "raise",
        short="What to do if a calculator raises an error.",
    ),
    FlowParameter(
        "on_bad_file",
        "Policies",
        _choice(OnBadFile),
        "What to do with input files that cannot be read. raise: fail the run; quarantine: leave "
        "them out, name them in the report, and read them again when they change.",
        "raise",
        short="What to do with input files that cannot be read.",
    ),
    FlowParameter(
        "retry_quarantined",
        "Policies",
        (_YES,),
        "Also calculate series again that are quarantined because their process died, hung or used "
        "too much memory.",
        default=False,
        short="Calculate series again that were quarantined as poison.",
    ),
    FlowParameter(
        "on_settings_change",
        "Policies",
        _choice(OnSettingsChange),
        "What to do if the table was built with different settings. refuse: fail and report the "
        "difference; append: add new features, and calculate only these; recalculate: calculate "
        "all checked intervals with the new settings.",
        "refuse",
        short="What to do if the table was built with different settings; append calculates new "
        "features only.",
    ),
    FlowParameter(
        "checks",
        "Policies",
        (Form(dict[str, Any], _checks_rule()),),
        "Limits above which a check warns or fails the run, by check: quarantined_series (a whole "
        "number, 0 or more), failed_cells, rows_drop, input_rows_drop, coverage_drop, bad_files "
        "and nan_rise (shares, 0 or more and below 1), "
        'or off. Example: {"rows_drop": {"fail": 0.5, "warn": "off"}}. Limits that are not given '
        "keep their defaults.",
        None,
        short='Limits of the checks, as JSON: {"rows_drop": {"fail": 0.3}}.',
    ),
    FlowParameter(
        "cluster",
        "Running",
        _STR,
        "none, threads[:N], processes[:N] (N is 1 or more), tcp://host:port, tls://host:port, or "
        "the path of a .yaml, .yml or .json file with keyword arguments for DaskTaskRunner.",
        "threads",
        short="none, threads[:N], processes[:N], tcp://host:port, or a cluster file.",
        pattern=Pattern(
            r"^(none|(threads|processes)(:0*[1-9]\d*)?|(tcp|tls)://[^/]+:\d+|.*\.(yaml|yml|json))$",
            "none, threads, threads:4, processes, processes:4, tcp://host:port, tls://host:port or "
            "the path of a file ending in .yaml, .yml or .json",
        ),
        paths=_FILE,
    ),
    FlowParameter(
        "retries",
        "Running",
        (Form(int, {"minimum": 0}),),
        "How many times to retry the run after a transient error, such as a lost connection; 0 or "
        "more.",
        2,
        short="How many times to retry after transient errors.",
    ),
    FlowParameter(
        "retry_delay_seconds",
        "Running",
        (_SECONDS,),
        "Seconds to wait before each retry, 0 or more.",
        60.0,
        short="Seconds to wait before each retry.",
    ),
    FlowParameter(
        "wait_for_sink",
        "Running",
        (_SECONDS,),
        "Seconds to wait if another run is writing to the sink, 0 or more.",
        3600.0,
        short="Seconds to wait if another run is writing to OUTPUT.",
    ),
    FlowParameter(
        "work_dir",
        "Running",
        (Form(str, _FILLED),),
        "Folder for temporary data, reachable by all workers. Default: next to the sink.",
        None,
        short="Folder for temporary data; default: next to OUTPUT.",
        paths=_ANY,
    ),
    FlowParameter(
        "storage_options",
        "Running",
        (
            Form(
                dict[str, str],
            ),
        ),
        "Options of the object store, each with the name of the environment variable that holds "
        "its value, such as AWS_REGION (capitals, digits and underscores). Never give the value "
        "itself.",
        None,
        short="Option of the object store and the environment variable that holds its value.",
        is_repeated=True,
        option="--storage-option",
        pattern=Pattern(  # the server would store a secret typed here
            r"^(?!A[A-Z]{3}[A-Z0-9]{16}$)[A-Z_][A-Z0-9_]{0,127}$",
            "names of environment variables, such as AWS_REGION, and never the values themselves",
            "additionalProperties",
        ),
    ),
    FlowParameter(
        "modules",
        "Running",
        (Form(list[str]),),
        "Importable modules that register custom calculators, such as mine.calculators. Every "
        "worker imports them.",
        None,
        short="Module that registers custom calculators.",
        is_repeated=True,
        option="--module",
        pattern=Pattern(
            r"^[^\W\d]\w*(\.[^\W\d]\w*)*$",
            "importable modules, such as mine.calculators",
            "items",
        ),
    ),
    FlowParameter(
        "part_bytes",
        "Running",
        (Form(int, {"minimum": 1}),),
        "Bytes of input per part, 1 or more. Default: chosen by the size of the input.",
        None,
        short="Bytes of input per part.",
    ),
    FlowParameter(
        "series_seconds",
        "Running",
        (Form(float, {"exclusiveMinimum": 0}),),
        "Seconds that one series may take until it counts as hung and is left out, above 0. A "
        "series that is predicted to be slow gets 20 times its prediction. Default: 300.",
        None,
        short="Seconds after which a series counts as hung (300, or 20 times its prediction).",
    ),
    FlowParameter(
        "stall_seconds",
        "Running",
        (Form(float, {"minimum": 1}),),
        "Seconds without a sign of life from a worker until its work is given to others, 1 or "
        "more.",
        60.0,
        short="Seconds without a sign of life until a worker's work is given to others.",
    ),
    FlowParameter(
        "report_url",
        "Running",
        _STR,
        "Where the folder of the HTML reports is served, such as "
        "https://reports.example.org/pumps. Links on the run's page lead there. Default: to the "
        "file itself.",
        None,
        short="Where the folder of the HTML reports is served, for links to them.",
        pattern=Pattern(  # no user or password: the server stores what is typed here
            r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            "an address with http or https, without user, password, query or fragment, such as "
            "https://reports.example.org/pumps",
        ),
    ),
    FlowParameter(
        "tables",
        "Tables",
        (
            Form(str, {"title": "one", **_FILLED}),
            Form(list[str], {"title": "list", "items": _TEXT, "minItems": 1}),
        ),
        "Folder or URL of a table, or the path of a file that tidemill wrote, or a list of them.",
        paths=_ANY,
    ),
    FlowParameter(
        "keep",
        "Tables",
        _STR,
        "How long files are kept that nothing shows any more, for readers of older versions and "
        "runs that go on: 1h or more, such as 30d.",
        "30d",
        short="How long files are kept that nothing shows any more, 1h or more, such as 30d.",
        pattern=_AGE,
    ),
    FlowParameter(
        "drop_after",
        "Tables",
        _STR,
        "Drop the intervals of tables that ended longer ago, such as 400d; the newest stays. "
        "Default: none are dropped.",
        None,
        short="Drop the intervals of tables that ended longer ago, such as 400d.",
        pattern=_AGE,
    ),
    FlowParameter(
        "matrix",
        "Input",
        (Form(str, _FILLED),),
        "Folder or URL of the table, or the .parquet or .csv file, whose columns are to be chosen "
        "from.",
        paths=_ANY,
    ),
    FlowParameter(
        "target",
        "Target",
        (Form(str, _FILLED),),
        "Path or URL of the .parquet or .csv file with the target: a row for each id.",
        short="Parquet or CSV file with the target of each id.",
        paths=_ANY,
    ),
    FlowParameter(
        "column_target",
        "Target",
        (_COLUMN,),
        "Column of the target file that holds the target: classes or numbers.",
        short="Column of the target file that holds the target.",
    ),
    FlowParameter(
        "ml_task",
        "Choosing",
        _choice(MlTask),
        "What the target stands for: classification or regression. auto: numbers with a fraction "
        "are regression, all else classification.",
        "auto",
        short="What the target stands for; auto: fractions are regression.",
    ),
    FlowParameter(
        "fdr_level",
        "Choosing",
        (Form(float, {"exclusiveMinimum": 0, "exclusiveMaximum": 1}),),
        "The expected share of irrelevant features among the relevant ones, above 0 and below 1.",
        0.05,
        short="The expected share of irrelevant features among the relevant ones.",
    ),
    FlowParameter(
        "max_features",
        "Choosing",
        (Form(int, {"minimum": 1}),),
        "Choose at most so many of the relevant features, those with the smallest p-values; 1 or "
        "more. Default: all of them.",
        None,
        short="Choose at most so many of the relevant features; default: all of them.",
    ),
    FlowParameter(
        "interval",
        "Choosing",
        _STR,
        "Rows of which intervals of the table to use: a date or time at which one starts, such as "
        "2026-11-01, its name, or a span such as 2026-11-01/2026-12-01, of which either end may be "
        "left out. Default: all.",
        None,
        short="Interval, or span such as 2026-11-01/2026-12-01, whose rows to use; default: all.",
        pattern=Pattern(
            rf"^(({_TIME})|({_TIME}\s*/\s*({_TIME})?)|(\s*/\s*{_TIME}))$",
            "a date or time such as 2026-11-01, the name of an interval, or a span such as "
            "2026-11-01/2026-12-01",
        ),
    ),
    FlowParameter(
        "column_interval",
        "Target",
        (_COLUMN,),
        "Column of the target file that holds the start of the interval that a target is of, such "
        "as 2026-11-01. Default: the target of an id is the same in all intervals.",
        None,
        short="Column of the target file with the start of the interval; default: one for all.",
    ),
    FlowParameter(
        "per_window",
        "Choosing",
        _choice(PerWindow),
        "Which rows are tested by themselves. interval: those of each interval of the table. "
        "Default: all rows together.",
        None,
        short="Test the rows of each interval by themselves; default: all rows together.",
    ),
    FlowParameter(
        "min_share",
        "Choosing",
        (Form(float, {"exclusiveMinimum": 0, "maximum": 1}),),
        "With per_window: in which share of the intervals a relevant feature must be so, above 0 "
        "and at most 1.",
        0.5,
        short="With --per-window: share of the intervals in which a feature must be relevant.",
    ),
    FlowParameter(
        "output",
        "Results",
        (Form(str, _FILLED),),
        "Folder or URL for the relevance table, the settings of the chosen features (chosen.yaml) "
        "and a picture of the p-values. Default: beside the table, its name with _selection.",
        None,
        short="Folder for the results; default: beside TABLE, its name with _selection.",
        paths=_ANY,
    ),
    FlowParameter(
        "relevance_file",
        "Results",
        _STR,
        "Name of the relevance table in that folder, such as relevance.parquet or relevance.csv.",
        "relevance.parquet",
        short="Name of the relevance table there; it ends in .parquet or .csv.",
        pattern=Pattern(
            r"^[^./][^/]*\.([pP][aA][rR][qQ][uU][eE][tT]|[cC][sS][vV])$",
            "the name of a file, such as relevance.parquet or relevance.csv",
        ),
    ),
    FlowParameter(
        "multiclass",
        "Choosing",
        (_YES,),
        "Judge the classes of the target apart: a feature is relevant if it is so for "
        "n_significant of them.",
        default=False,
        short="Judge the classes of the target apart.",
    ),
    FlowParameter(
        "n_significant",
        "Choosing",
        (Form(int, {"minimum": 1}),),
        "With multiclass: for how many classes a relevant feature must be significant, 1 or more.",
        1,
        short="With --multiclass: for how many classes a feature must be significant.",
    ),
    FlowParameter(
        "hypotheses_independent",
        "Choosing",
        (_YES,),
        "Take the features for independent of each other: Benjamini-Hochberg instead of "
        "Benjamini-Yekutieli, which chooses more.",
        default=False,
        short="Take the features for independent of each other, which chooses more.",
    ),
    FlowParameter(
        "test_for_binary_target_real_feature",
        "Choosing",
        _choice(RealFeatureTest),
        "Test of real features and classes. mann: Mann-Whitney U; smir: Kolmogorov-Smirnov.",
        "mann",
        short="Test of real features and classes: Mann-Whitney U or Kolmogorov-Smirnov.",
    ),
    FlowParameter(
        "max_bytes",
        "Running",
        (Form(int, {"minimum": 1}),),
        "Bytes of feature values that are held at a time, 1 or more; at least one column is. "
        "Default: 256 MiB.",
        None,
        short="Bytes of feature values that are held at a time; default: 256 MiB.",
    ),
)
#: All parameters by name.
PARAMETERS: Mapping[str, FlowParameter] = {parameter.name: parameter for parameter in _TABLE}
