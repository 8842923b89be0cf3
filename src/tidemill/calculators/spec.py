"""The frozen specs that the registry table is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tidemill.errors import SettingsError, shorten

__all__ = ["Calculator", "Intermediate", "Parameter"]

ParameterType = Literal["float", "int", "bool", "str", "any"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a calculator.

    Examples
    --------
    >>> Parameter("q", "float", minimum=0, maximum=1).check("quantile", 0.5)
    0.5
    """

    name: str
    type: ParameterType
    choices: tuple[str, ...] = ()  # of a "str" parameter
    minimum: float = -math.inf  # inclusive, of numbers
    maximum: float = math.inf  # inclusive, of numbers
    default: Any = None  # of a custom calculator's optional parameter
    required: bool = True

    def check(self, calculator: str, value: Any) -> Any:
        """``value`` as a plain Python object.

        Raises
        ------
        SettingsError
            If the value is not of the parameter's type, range or choices.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if self.type == "any" or self._accepts(value):
            return value
        raise SettingsError(
            f"{calculator}: {self.name}={value!r} is not allowed; give {self._allowed()}"
        )

    def _accepts(self, value: Any) -> bool:
        if self.type == "str":
            return isinstance(value, str) and value in self.choices
        if self.type == "bool" or isinstance(value, bool):
            return self.type == "bool" and isinstance(value, bool)
        if not isinstance(value, int if self.type == "int" else (int, float)):
            return False
        bounded = math.isfinite(self.minimum) or math.isfinite(self.maximum)
        return not bounded or bool(self.minimum <= value <= self.maximum)

    def _allowed(self) -> str:
        if self.type == "str":
            return f"one of {shorten(map(repr, self.choices))}"
        if self.type == "bool":
            return "True or False"
        word = "a number" if self.type == "float" else "a whole number"
        low = f" from {self.minimum:g}" if math.isfinite(self.minimum) else ""
        high = f" up to {self.maximum:g}" if math.isfinite(self.maximum) else ""
        return word + low + high

    def encode(self, values: list[Any]) -> np.ndarray[Any, Any]:
        """The values as a kernel gets them: float64[m] or int64[m] (choices by position)."""
        if self.type == "str":
            return np.array([self.choices.index(value) for value in values], dtype=np.int64)
        return np.array(values, dtype=np.float64 if self.type == "float" else np.int64)


@dataclass(frozen=True, slots=True)
class Intermediate:
    """Something that several calculators need, computed once per block and shared.

    A kernel gives ``width`` float64 per series; a batch function gives ragged arrays.
    """

    name: str
    summary: str
    kernel: str = ""  # "module:function"; per series, like a calculator's
    batch: str = ""  # "module:function"; over the whole block, by numpy
    width: int = 0  # values per series; 0: given by the lags asked for
    needs: tuple[str, ...] = ("values",)
    dtype: Literal["float64", "complex128", "int64"] = "float64"
    shortcut: tuple[str, str] = ("", "")  # (intermediate, kernel to use if that is there anyway)


@dataclass(frozen=True, slots=True)
class Calculator:
    """One row of the registry: a named function from a series to feature values."""

    name: str
    summary: str
    kernel: str = ""  # "module:function" in this package, loaded on demand
    element: int = -1  # without a kernel: the value is this element of what it needs
    needs: tuple[str, ...] = ("values",)  # what the kernel gets, in order
    parameters: tuple[Parameter, ...] = ()
    grid: tuple[Mapping[str, Any], ...] = ({},)  # tsfresh's comprehensive grid, in its order
    presets: tuple[str, ...] = ("efficient", "comprehensive")
    minimum_length: int = 1  # shorter series get NaN
    lags: str = ""  # the parameter that says how many lags of autocovariance are needed
    source: str = ""  # where the definition stands
    function: Callable[..., Any] | None = None  # of a custom calculator, instead of a kernel
    any_parameters: bool = False  # a tsfresh-style combiner: parameters are not declared
    version: str = ""  # of a custom calculator's code, if its author gives one
    code: str = ""  # SHA-256 of a custom calculator's code; "": it has a version, or is unreadable

    @property
    def needs_times(self) -> bool:
        """Whether the calculator looks at the time stamps."""
        return "times" in self.needs

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """``params`` checked, complete and in the order of the names.

        Raises
        ------
        SettingsError
            If a parameter is unknown, missing or has a value that is not allowed.
        """
        if self.any_parameters:
            return {name: params[name] for name in sorted(params)}
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = [name for name in params if name not in known]
        if unknown:
            raise SettingsError(
                f"{self.name} has no parameter {shorten(map(repr, unknown))}; "
                f"it takes {shorten(sorted(known)) or 'none'}"
            )
        missing = [n for n, spec in known.items() if spec.required and n not in params]
        if missing:
            raise SettingsError(
                f"{self.name} needs a value for {shorten(map(repr, missing))}, "
                f"as in {dict(self.grid[0])!r}"
            )
        return {name: known[name].check(self.name, params[name]) for name in sorted(params)}
