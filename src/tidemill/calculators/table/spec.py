"""The frozen specs that the registry table is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from tidemill.errors import ParameterError, SettingsError, shorten

__all__ = ["Calculator", "Intermediate", "Parameter", "load", "plain"]

#: "numbers" is a sequence of numbers, or None where the default is None.
ParameterType = Literal["float", "int", "bool", "str", "numbers", "any"]


def load(path: str) -> Any:
    """What ``"module:name"`` means in a row: something of a module of this package."""
    module, _, name = path.partition(":")
    return getattr(import_module(f"tidemill.calculators.{module}"), name)


def plain(value: Any) -> Any:
    """A numpy scalar as the Python object that is written like it; others as they are.

    Examples
    --------
    >>> plain(np.float32(0.1)), plain(np.int64(3)), plain(np.bool_(True)), plain("a")
    (0.1, 3, True, 'a')
    """
    if isinstance(value, np.floating):
        return float(str(value))  # item() would give 0.10000000149011612
    return value.item() if isinstance(value, np.generic) else value


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
    choices: tuple[str | None, ...] = ()  # of a "str" parameter
    minimum: float = -math.inf  # inclusive, of numbers
    maximum: float = math.inf  # inclusive, of numbers
    default: Any = None  # of a custom calculator's optional parameter
    required: bool = True
    filled: bool = False  # where it is left out, the default is put in, and stands in the column

    def check(self, calculator: str, value: Any) -> Any:
        """``value`` as a plain Python object.

        Raises
        ------
        ParameterError
            If the value is not of the parameter's type, range or choices.
        """
        value = plain(value)
        if self.type == "float" and isinstance(value, str):
            value = _number(value)
        if self.type == "numbers" and isinstance(value, (list, tuple, np.ndarray)):
            value = tuple(plain(one) for one in value)
        if self.type == "any" or self._accepts(value):
            return value
        raise ParameterError(
            f"{calculator}: {self.name}={value!r} is not allowed; give {self._allowed()}"
        )

    def _accepts(self, value: Any) -> bool:
        if self.type == "str":
            return value in self.choices
        if self.type == "bool" or isinstance(value, bool):
            return self.type == "bool" and isinstance(value, bool)
        if self.type == "numbers":
            return self._accepts_numbers(value)
        if not isinstance(value, int if self.type == "int" else (int, float)):
            return False
        bounded = math.isfinite(self.minimum) or math.isfinite(self.maximum)
        return not bounded or bool(self.minimum <= value <= self.maximum)

    def _accepts_numbers(self, value: Any) -> bool:
        if value is None:
            return not self.required and self.default is None
        return isinstance(value, tuple) and all(
            isinstance(one, (int, float))
            and not isinstance(one, bool)
            and math.isfinite(one)
            and self.minimum <= one <= self.maximum
            for one in value
        )

    def _allowed(self) -> str:
        if self.type == "str":
            return f"one of {shorten(map(repr, self.choices))}"
        if self.type == "bool":
            return "True or False"
        words = {"numbers": "a sequence of finite numbers", "float": "a number"}
        word = words.get(self.type, "a whole number")
        low = f" from {self.minimum:g}" if math.isfinite(self.minimum) else ""
        high = f" up to {self.maximum:g}" if math.isfinite(self.maximum) else ""
        return word + low + high

    def encode(self, values: list[Any]) -> np.ndarray[Any, Any]:
        """The values as a kernel gets them: float64[m] or int64[m] (choices by position).

        Of sequences of numbers float64[m * longest], each filled up with NaN.
        """
        if self.type == "str":
            return np.array([self.choices.index(value) for value in values], dtype=np.int64)
        if self.type == "numbers":
            rows = [() if value is None else value for value in values]
            longest = max(map(len, rows))
            filled = [(*row, *[math.nan] * (longest - len(row))) for row in rows]
            return np.array(filled, dtype=np.float64).reshape(-1)
        return np.array(values, dtype=np.float64 if self.type == "float" else np.int64)


def _number(text: str) -> float | str:
    """A number that a file holds as text: JSON has no infinity, YAML reads 1e12 as text."""
    try:
        return float(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Intermediate:
    """Something that several calculators need, computed once per block and shared.

    A kernel gives ``width`` float64 per series; a batch function gives ragged arrays.
    """

    name: str
    summary: str
    kernel: str = ""  # "module:function"; per series, like a calculator's
    batch: str = ""  # "module:function"; over the whole block, by numpy
    uses: tuple[tuple[str, tuple[str, ...]], ...] = ()  # kernels that ``batch`` calls, and the
    # element types of their inputs
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
    quadratic: bool = False  # time grows with the square of the length
    lags: str = ""  # the parameter that says how many lags of autocovariance are needed
    exact: str = ""  # "module:function" for the series that the kernel leaves to numpy
    tables: str = ""  # "module:function" that makes more arrays for the kernel of its parameters'
    member: tuple[str, str] = ("", "")  # the value of the first parameter is one of the second's
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
            return {name: plain(params[name]) for name in sorted(params)}
        known = {parameter.name: parameter for parameter in self.parameters}
        params = {name: spec.default for name, spec in known.items() if spec.filled} | dict(params)
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
        checked = {name: known[name].check(self.name, params[name]) for name in sorted(params)}
        one, all_ = self.member
        if one and checked[one] not in checked[all_]:
            raise SettingsError(
                f"{self.name}: {one}={checked[one]!r} is not allowed; give one of "
                f"{all_}={checked[all_]!r}, or add it to them"
            )
        return checked
