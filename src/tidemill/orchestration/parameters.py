"""Types of the flows' parameters: what Prefect's run form shows and refuses, in one place.

A rule here goes into the JSON schema that the form, the server and `tidemill deploy` check. In
Python the engine's own checks speak, whose errors say what to do; so a rule refuses nothing that
they allow.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema

from tidemill.errors import ArgumentError
from tidemill.execution.checks import CHECKS, Check
from tidemill.model.policies import Level, OnDuplicate, OnError, OnNan, OnSettingsChange
from tidemill.recurring.calendars import MOST

__all__ = [
    "Anchor",
    "Bytes",
    "Checks",
    "Cluster",
    "Column",
    "Columns",
    "Concurrency",
    "Lag",
    "Location",
    "Locations",
    "Lookback",
    "Modules",
    "OnDuplicate",
    "OnEmpty",
    "OnError",
    "OnNan",
    "OnSettingsChange",
    "Order",
    "PositiveSeconds",
    "Retries",
    "Seconds",
    "SettingsChoice",
    "Span",
    "StorageOptions",
    "Time",
    "TimeZone",
]

OnEmpty = Literal["wait", "skip", "fail"]
Order = Literal["oldest first", "newest first"]


class _Rule:
    """Keywords of JSON schema for a type; pydantic itself does not check them."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), **self.keywords}


def _refuse_frames(value: Any) -> Any:
    """Name the remedy; the server's model would take a frame for the list of its columns."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, str | list | tuple):
        raise ArgumentError(
            f"{type(value).__name__} given, but the flow takes paths and URLs of files; "
            "tidemill.extract_features takes frames"
        )
    return value


def _refuse_negative(value: float, info: ValidationInfo) -> float:
    """What only flows take, no check of the engine sees."""
    if not value >= 0:  # NaN too
        raise ArgumentError(f"{info.field_name}={value} is not allowed; give 0 or more")
    return value


_FILLED = _Rule(minLength=1)
_Path = Annotated[str, _FILLED]
Location = Annotated[str, BeforeValidator(_refuse_frames), _FILLED]
Locations = Annotated[
    Annotated[_Path, _Rule(title="one")] | Annotated[list[_Path], _Rule(title="list", minItems=1)],
    BeforeValidator(_refuse_frames),
]
Column = Annotated[str, _FILLED]
Columns = (
    Annotated[Column, _Rule(title="one")]
    | Annotated[list[Column], _Rule(title="several", minItems=2)]
)

# What parse_duration, Calendar and read_times take, as far as a pattern can say it.
_DAYS = r"(\s*\d+\s*[dDwW])+\s*"
_CLOCK = r"(\s*\d+(\.\d+)?\s*([mM][sS]|[mM][iI][nN]|[sShH]))+\s*"
_LENGTH = r"(\s*\d+(\.\d+)?\s*([mM][sS]|[mM][iI][nN]|[sShHdDwW]))+\s*"
_TIME = (
    r"\d{4}-?\d{2}-?\d{2}"
    r"([T ]\d{2}(:?\d{2}(:?\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
)
Span = Annotated[str, _Rule(pattern=f"^(?=.*[1-9])({_DAYS}|{_CLOCK})$")]
Lag = Annotated[str, _Rule(pattern=f"^{_LENGTH}$")]
Time = Annotated[str, _Rule(pattern=f"^{_TIME}$")]
Anchor = Annotated[str, _Rule(pattern=f"^({_LENGTH}|{_TIME})$")]
TimeZone = Annotated[str, _Rule(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")]
Lookback = Annotated[int, _Rule(minimum=0, maximum=MOST)]

Concurrency = Annotated[int, _Rule(minimum=1)]
Retries = Annotated[int, AfterValidator(_refuse_negative), _Rule(minimum=0)]
Seconds = Annotated[float, AfterValidator(_refuse_negative), _Rule(minimum=0)]
PositiveSeconds = Annotated[float, _Rule(exclusiveMinimum=0)]
Bytes = Annotated[int, _Rule(minimum=1)]

SettingsChoice = (
    Annotated[Literal["minimal", "efficient", "comprehensive"], _Rule(title="preset")]
    | Annotated[str, _Rule(title="file", pattern=r"\.([yY][aA]?[mM][lL]|[jJ][sS][oO][nN])$")]
    | Annotated[dict[str, Any], _Rule(title="mapping")]
)
Cluster = Annotated[
    str,
    _Rule(
        pattern=r"^(none|(threads|processes)(:0*[1-9]\d*)?|(tcp|tls)://[^/]+:\d+"
        r"|.*\.(yaml|yml|json))$"
    ),
]
Modules = list[Annotated[str, _Rule(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$")]]
#: Names of environment variables: the server would keep a secret that is typed into the form.
StorageOptions = dict[
    str,
    Annotated[str, _Rule(pattern=r"^(?!A[A-Z]{3}[A-Z0-9]{16}$)[A-Z_][A-Z0-9_]{0,127}$")],
]


def _checks_form() -> dict[str, Any]:
    """What :func:`tidemill.execution.checks.parse_checks` takes, with a field for every limit."""
    properties = {name: _check_form(check) for name, check in CHECKS.items()}
    return {"title": "limits", "properties": properties, "additionalProperties": False}


def _check_form(check: Check) -> dict[str, Any]:
    share = {"title": "share", "type": "number", "minimum": 0, "exclusiveMaximum": 1}
    count = {"title": "number", "type": "integer", "minimum": 0}
    off = {"title": "off", "type": "string", "enum": ["off"]}
    limit = share if check.is_share else count
    levels = {
        level: {
            "title": level,
            "description": f"Default: {check.defaults.get(level, 'off')}.",
            "anyOf": [limit, off],
        }
        for level in get_args(Level)
    }
    mapping = {
        "title": "limits", "type": "object", "properties": levels, "additionalProperties": False,
    }  # fmt: skip
    about = f"Limits of the {check.summary}."
    return {"title": check.name, "description": about, "anyOf": [mapping, off]}


Checks = Annotated[dict[str, Any], _Rule(**_checks_form())]
