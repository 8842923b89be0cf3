"""Choices with the same names at every door: unclean data, changed settings, checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal, get_args, get_type_hints

from tidemill.errors import ArgumentError

__all__ = [
    "Level",
    "Limits",
    "OnBadFile",
    "OnDuplicate",
    "OnError",
    "OnNan",
    "OnSettingsChange",
    "Policies",
]

OnNan = Literal["raise", "omit", "quarantine"]
OnDuplicate = Literal["raise", "keep", "first", "last", "mean"]
OnError = Literal["raise", "nan"]
#: What to do with input files that cannot be read; not a policy for rows.
OnBadFile = Literal["raise", "quarantine"]
#: What to do if a table's settings change; not a policy for data.
OnSettingsChange = Literal["refuse", "append", "recalculate"]
#: What follows if a limit of a check is exceeded.
Level = Literal["warn", "fail"]
#: Limits by check and level; a level that is off is absent. JSON values.
Limits = Mapping[str, Mapping[Level, float]]


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one run.

    Raises
    ------
    ArgumentError
        If a value is not allowed.

    Examples
    --------
    >>> Policies(on_nan="omit")
    Policies(on_nan='omit', on_duplicate='raise', on_error='raise')
    """

    on_nan: OnNan = "raise"  # NaN and infinite values
    on_duplicate: OnDuplicate = "raise"  # rows that share id, kind and sort value
    on_error: OnError = "raise"  # a calculator that raises

    def __post_init__(self) -> None:
        for name, allowed in _allowed().items():
            value = getattr(self, name)
            if value not in allowed:
                choices = ", ".join(map(repr, allowed))
                raise ArgumentError(f"{name}={value!r} is not allowed; choose one of {choices}")


@cache
def _allowed() -> dict[str, tuple[str, ...]]:
    hints = get_type_hints(Policies)
    return {spec.name: get_args(hints[spec.name]) for spec in fields(Policies)}
