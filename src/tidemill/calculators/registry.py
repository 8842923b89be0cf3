"""The calculators by name: the table's rows, and those that users register."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, TypeVar, overload

from tidemill.calculators.custom import digest_of_code, identity, wants_series
from tidemill.calculators.table.build import LEFT_OUT, ROWS
from tidemill.calculators.table.spec import Calculator, Parameter
from tidemill.errors import ArgumentError, SettingsError, shorten

__all__ = [
    "CALCULATORS",
    "PRESETS",
    "calculator",
    "find",
    "identities",
    "preset",
    "register",
    "register_function",
]

PRESETS = ("minimal", "efficient", "comprehensive")
ENTRY_POINTS = "tidemill.calculators"

_known: dict[str, Calculator] = {row.name: row for row in ROWS}
_BUILT_IN = frozenset(_known)

#: Every calculator by name, in the order of tsfresh's comprehensive settings; own ones last.
CALCULATORS: Mapping[str, Calculator] = MappingProxyType(_known)

Function = TypeVar("Function", bound=Callable[..., Any])


def preset(name: str, *, times: bool = False) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The features of a preset: (calculator, parameters), in tsfresh's serial order.

    ``times`` adds the calculators that look at time stamps, as tsfresh does for series with a
    DatetimeIndex (efficient and comprehensive only).

    Raises
    ------
    SettingsError
        If there is no such preset.

    Examples
    --------
    >>> [calculator for calculator, params in preset("minimal")][:3]
    ['sum_values', 'median', 'mean']
    """
    if name not in PRESETS:
        raise SettingsError(f"no preset is called {name!r}; choose one of {shorten(PRESETS)}")
    return tuple(
        (row.name, row.check(params))
        for row in ROWS
        if name in row.presets or (times and row.needs_times and name != "minimal")
        for params in row.grid
    )


def find(name: str) -> Calculator:
    """The calculator of that name; installed packages' own ones are looked up on demand.

    Raises
    ------
    SettingsError
        If there is none, with the nearest names.

    Examples
    --------
    >>> find("quantile").parameters[0].name
    'q'
    """
    if name not in _known:
        _load_entry_points()
    if name in _known:
        return _known[name]
    if name in LEFT_OUT:
        raise SettingsError(
            f"calculator {name!r} is left out of tidemill (tsfresh has it only with another "
            f"package); take it out of the settings, as in settings.pop({name!r})"
        )
    near = difflib.get_close_matches(name, [*_known, *LEFT_OUT], n=3)
    hint = f"did you mean {shorten(map(repr, near))}?" if near else "see `tidemill features`"
    raise SettingsError(f"no calculator is called {name!r}; {hint}")


def identities(names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each custom calculator among ``names``, which changes as its values may.

    The calculators of the table have none: the version of the results stands for them.

    Raises
    ------
    SettingsError
        If the code of one cannot be read and it has no version.

    Examples
    --------
    >>> identities(["mean", "quantile"])
    {}
    """
    rows = [find(name) for name in sorted(set(names))]
    return {row.name: identity(row) for row in rows if row.function is not None}


@cache
def _load_entry_points() -> None:
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:
            raise SettingsError(
                f"the entry point {entry.name!r} of the group {ENTRY_POINTS!r} cannot be loaded "
                f"({type(error).__name__}: {error}): fix or uninstall the package that provides "
                f"{entry.value!r}"
            ) from error


def register(calculator: Calculator) -> Calculator:
    """Make a calculator known under its name; the same name again replaces an own one.

    Raises
    ------
    ArgumentError
        If the name belongs to the table, is no Python name or contains ``__``.
    """
    name = calculator.name
    if name in _BUILT_IN or name in LEFT_OUT:
        raise ArgumentError(f"name={name!r} is a calculator of tsfresh; choose another name")
    if not name.isidentifier() or "__" in name:
        raise ArgumentError(f"name={name!r} is not allowed; give a Python name without '__'")
    if calculator.function is not None:
        # Now, because the file may have been edited by the time that a run asks.
        code = "" if calculator.version else digest_of_code(calculator.function)
        calculator = replace(calculator, code=code)
    _known[name] = calculator
    return calculator


@overload
def calculator(function: Function, /) -> Function: ...


@overload
def calculator(
    *,
    name: str | None = None,
    needs: tuple[str, ...] = (),
    minimum_length: int = 1,
    version: str | None = None,
) -> Callable[[Function], Function]: ...


def calculator(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    needs: tuple[str, ...] = (),
    minimum_length: int = 1,
    version: str | None = None,
) -> Any:
    """Register a plain function ``f(values, **params) -> float`` as a calculator.

    Functions in tsfresh's style work as they are: with ``fctype`` "simple" or "combiner", with
    ``input`` "pd.Series", and with ``index_type`` DatetimeIndex for those that look at times. A
    combiner must return the keys of its columns: what follows the function's name in them.

    Parameters
    ----------
    name
        Of the calculator; the function's own by default.
    needs
        ``("times",)``: the function gets int64[n] nanoseconds as its second argument.
    minimum_length
        Series with fewer values get NaN and the function is not called.
    version
        Of the function's code, any text. Give another one whenever the function's values change.

    Notes
    -----
    A run does not use results of another version of the code. Without ``version``, that is seen
    from the function's source text (without a source, its bytecode), the defaults of its
    parameters, the variables of functions that enclose it, and the version of the installed
    distribution that it comes from. Helpers that it calls, and other names of its module, are *not*
    looked at: if these change, give a new ``version``. A function whose code cannot be read, such
    as one written in C, needs one for runs on files.

    With ``on_error="nan"`` an error leaves NaN in its cell. MemoryError and OSError (a lost
    connection, a timeout, a missing file) stop the run all the same, so that the next attempt
    calculates the value. Raise ConnectionError for errors of a client library that are neither.

    Raises
    ------
    ArgumentError
        If the name, ``needs`` or ``version`` is not allowed.

    Examples
    --------
    >>> @calculator
    ... def spread(values, factor=2.0):
    ...     return factor * (values.max() - values.min())
    >>> find("spread").parameters[0].default
    2.0
    """

    def declare(plain: Function) -> Function:
        register(_custom(plain, name or plain.__name__, needs, minimum_length, version))
        return plain

    return declare if function is None else declare(function)


def register_function(function: Callable[..., Any]) -> Calculator:
    """The calculator of a plain function that stands as a key in settings, as in tsfresh."""
    if not hasattr(function, "__name__"):
        raise ArgumentError(
            f"{function!r} has no name: register it under one, as in calculator(name='own')(f), "
            "and put that name into the settings"
        )
    known = _known.get(function.__name__)
    if known is not None and known.function is function:
        return known
    if known is not None and known.name in _BUILT_IN and _is_tsfresh(function):
        return known
    return register(_custom(function, function.__name__))


def _is_tsfresh(function: Callable[..., Any]) -> bool:
    return function.__module__ == "tsfresh.feature_extraction.feature_calculators"


def _custom(
    function: Callable[..., Any],
    name: str,
    needs: tuple[str, ...] = (),
    minimum_length: int = 1,
    version: object = None,
) -> Calculator:
    if version is None:
        version = ""
    elif not isinstance(version, str) or not version:
        raise ArgumentError(f"version={version!r} is not allowed; give a text, such as '1'")
    if not set(needs) <= {"times"}:
        raise ArgumentError(f"needs={needs!r} is not allowed; give () or ('times',)")
    if wants_series(function) and _has_time_index(function):
        needs = ("times",)
    inputs = 1 if wants_series(function) else 1 + len(needs)
    summary = (inspect.getdoc(function) or name).partition("\n")[0]
    combiner = getattr(function, "fctype", None) == "combiner"
    return Calculator(
        name,
        summary,
        needs=("values", *needs),
        parameters=() if combiner else _parameters(function, inputs),
        presets=(),
        minimum_length=minimum_length,
        source=function.__module__,
        function=function,
        any_parameters=combiner,
        version=version,
    )


def _has_time_index(function: Callable[..., Any]) -> bool:
    """Whether a function in tsfresh's style asks for a DatetimeIndex."""
    index_type = getattr(function, "index_type", None)
    name = getattr(index_type, "__name__", index_type)
    if name not in {None, "DatetimeIndex"}:
        raise ArgumentError(
            f"{function.__name__} has index_type={name}, but only pandas.DatetimeIndex can be "
            "given: leave index_type out, and take the values by their places"
        )
    return name is not None


def _parameters(function: Callable[..., Any], n_inputs: int) -> tuple[Parameter, ...]:
    listed = list(inspect.signature(function).parameters.values())[n_inputs:]
    return tuple(
        Parameter(
            p.name,
            "any",
            default=None if p.default is p.empty else p.default,
            required=p.default is p.empty,
        )
        for p in listed
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    )
