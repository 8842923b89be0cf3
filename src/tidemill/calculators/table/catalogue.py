"""What the calculators of the table are, in words: for the documentation and the command."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["CalculatorDescription", "descriptions"]


@dataclass(frozen=True, slots=True)
class CalculatorDescription:
    """Definition, unit and exceptions of a calculator."""

    definition: str  # words or formula
    unit: str  # of its values
    undefined: str  # where they are NaN although the series is long enough


@cache
def descriptions() -> Mapping[str, CalculatorDescription]:
    """The descriptions by calculator.

    Examples
    --------
    >>> descriptions()["mean"].unit
    "values' unit"
    """
    text = files("tidemill.calculators").joinpath("catalogue.toml").read_text("utf-8")
    return {name: CalculatorDescription(**facts) for name, facts in tomllib.loads(text).items()}
