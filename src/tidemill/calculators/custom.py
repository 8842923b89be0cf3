"""Calculators that are plain Python functions: calling them, and noticing changed ones.

A function is called for one series at a time. Its identity goes into the result key, so that the
results of an older version of its code are never taken for its own.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import json
import os
import re
import signal
import threading
import tokenize
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import PurePath
from typing import Any

import numpy as np

from tidemill.calculators.table.spec import Calculator
from tidemill.errors import SettingsError, SourceError, shorten
from tidemill.model.aliases import Floats, Index
from tidemill.model.feature_names import feature_name
from tidemill.model.series import SeriesBlock

__all__ = [
    "calculate_custom",
    "digest_of_code",
    "failure_message",
    "identity",
    "import_modules",
    "wants_series",
]

#: Characters of a failure's message.
MESSAGE_LENGTH = 200

Params = Sequence[Mapping[str, Any]]
#: Called with the series' number, the parameters (None: all of them) and the error.
OnFailure = Callable[[int, Mapping[str, Any] | None, BaseException], None]


#: Errors that say nothing about the series, and may be gone at the next attempt.
_PASSED_ON = (MemoryError, OSError)


def calculate_custom(
    row: Calculator,
    params: Params,
    block: SeriesBlock,
    out: Floats,
    on_failure: OnFailure,
    checkpoint: Callable[[], None] | None = None,
) -> None:
    """Fill ``out``, float64[k, len(params)]; cells that fail keep NaN and are reported.

    ``checkpoint`` is called before every series and may raise to stop the work.

    Raises
    ------
    MemoryError, OSError
        If the function raises them: lost connections, timeouts, missing files. They are no
        failures of the calculator, because a NaN written for one would stay for good.
    """
    out[:] = np.nan
    fill = functools.partial(_combined, _by_key(row, params)) if row.any_parameters else _one_by_one
    try:
        for i in range(block.n_series):
            if checkpoint is not None:
                checkpoint()
            span = slice(int(block.starts[i]), int(block.stops[i]))
            if span.stop - span.start >= row.minimum_length:
                fill(row, params, _inputs(row, block, span), out[i], i, on_failure)
    except _PASSED_ON as error:
        error.add_note(f"raised by the calculator {row.name!r} for the kind {block.kind!r}")
        raise


def failure_message(error: BaseException) -> str:
    r"""Type and first line of an error, cut to :data:`MESSAGE_LENGTH` characters.

    Examples
    --------
    >>> failure_message(ValueError("too large\nfor this"))
    'ValueError: too large'
    """
    lines = str(error).strip().splitlines()
    text = ": ".join([type(error).__name__, *lines[:1]])
    return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 3]}..."


def _one_by_one(
    row: Calculator,
    params: Params,
    inputs: tuple[Any, ...],
    slots: Floats,
    series: int,
    on_failure: OnFailure,
) -> None:
    assert row.function is not None
    for j, values in enumerate(params):
        try:
            slots[j] = _as_float(row.function(*inputs, **values))
        except _PASSED_ON:
            raise
        except BaseException as error:  # whatever a user's function raises
            if not _is_own(error):
                raise
            on_failure(series, values, error)


def _is_own(error: BaseException) -> bool:
    """Whether the function itself raised an error, and not a signal that came meanwhile.

    ``sys.exit`` in a function ends no run. Signals raise errors in the main thread alone: Python's
    own handler of Ctrl-C leaves no trace but the error's class, others are in the traceback.
    """
    if isinstance(error, Exception) or threading.current_thread() is not threading.main_thread():
        return True
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    if isinstance(error, KeyboardInterrupt) and signal.default_int_handler in handlers:
        return False
    theirs = {getattr(handler, "__code__", None) for handler in handlers}
    frames = traceback.walk_tb(error.__traceback__)
    return not any(frame.f_code in theirs for frame, _ in frames)


def _by_key(row: Calculator, params: Params) -> dict[str, list[int]]:
    """The slots of every key that a combiner is to return: what follows its name in the column."""
    slots: dict[str, list[int]] = {}
    for j, values in enumerate(params):
        key = feature_name(None, row.name, values).removeprefix(row.name).removeprefix("__")
        slots.setdefault(key, []).append(j)
    return slots


def _combined(
    by_key: Mapping[str, Sequence[int]],
    row: Calculator,
    params: Params,
    inputs: tuple[Any, ...],
    slots: Floats,
    series: int,
    on_failure: OnFailure,
) -> None:
    assert row.function is not None
    asked = [dict(params[places[0]]) for places in by_key.values()]
    try:
        results = [(str(key), value) for key, value in row.function(*inputs, param=asked)]
        _check_keys([key for key, _ in results], by_key)
        found = {key: _as_float(value) for key, value in results}
    except _PASSED_ON:
        raise
    except BaseException as error:  # as above
        if not _is_own(error):
            raise
        on_failure(series, None, error)
        return
    for key, places in by_key.items():
        slots[places] = found[key]


def _check_keys(keys: Sequence[str], asked: Mapping[str, object]) -> None:
    """Refuse a combiner's keys unless each that was asked for is there, once."""
    wrong = {
        "missing": [key for key in asked if key not in keys],
        "not asked for": [key for key in dict.fromkeys(keys) if key not in asked],
        "repeated": [key for key in dict.fromkeys(keys) if keys.count(key) > 1],
    }
    problems = [f"{what}: {shorten(map(repr, found), 3)}" for what, found in wrong.items() if found]
    if problems:
        raise ValueError(f"the keys it returned do not fit its columns; {'; '.join(problems)}")


def _as_float(value: Any) -> float:
    if value is None:
        raise TypeError("returned None; return a number (NaN for no value)")
    return float(value)


def wants_series(function: Callable[..., Any] | None) -> bool:
    """Whether a function in tsfresh's style asks for a pandas Series."""
    return getattr(function, "input", None) == "pd.Series"


def _inputs(row: Calculator, block: SeriesBlock, span: slice) -> tuple[Any, ...]:
    # A copy: a function that writes to its input must not change what others see.
    values = block.values[span].copy()
    # Not whenever there are times: another calculator may be the reason why.
    times = block.times[span].copy() if row.needs_times and block.times is not None else None
    if wants_series(row.function):
        return (_as_pandas(values, times),)
    return (values,) if times is None else (values, times)


def _as_pandas(values: Floats, times: Index | None) -> Any:
    import pandas as pd

    index = None if times is None else pd.DatetimeIndex(times.view("datetime64[ns]"))
    return pd.Series(values, index=index)


# The identity


class _UnreadableError(Exception):
    """Code or a value whose changes could not be noticed."""


def identity(row: Calculator) -> str:
    """SHA-256 of all that decides the values of a custom calculator, equal in every process.

    That is its version or else its code, the defaults of its parameters, how it is called, and
    name and version of the distribution that it comes from.

    Raises
    ------
    SettingsError
        If its code cannot be read and it has no version.
    """
    if not (row.version or row.code):
        raise SettingsError(
            f"calculator {row.name!r} has code, or values bound to it, that cannot be read, so a "
            "later run could not tell whether it changed: give it a version, as in "
            "calculator(version='1'), and another one whenever its values change"
        )
    facts = {
        "code": f"version {row.version}" if row.version else row.code,
        "defaults": {p.name: _default(p.default) for p in row.parameters if not p.required},
        "input": str(getattr(row.function, "input", None)),
        "combiner": row.any_parameters,
        "needs": row.needs,
        "minimum_length": row.minimum_length,
        "distribution": _distribution(_module(row.function)),
    }
    return _digest(facts)


def digest_of_code(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's code and the values bound to it; "" if they cannot be read.

    The code is the source text; where there is none, and for a lambda, whose source is any part of
    a line, the bytecode. Bound are defaults, the variables of enclosing functions (functions among
    them with their own code) and the arguments of a partial.
    """
    try:
        return _digest(_function(function, frozenset()))
    except (_UnreadableError, RecursionError):
        return ""


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _function(function: Any, above: frozenset[int]) -> Any:
    """JSON values for a function; ``above`` are the ids of those that it is bound to."""
    if id(function) in above:
        return "itself"
    within = above | {id(function)}
    if isinstance(function, functools.partial):
        bound = _value([function.args, function.keywords], within)
        return ["partial", _function(function.func, within), bound]
    if isinstance(function, types.MethodType):
        return ["method", _function(function.__func__, within), _value(function.__self__, within)]
    if isinstance(function, types.FunctionType):
        code = _source(function.__code__) or _bytecode(function.__code__, within)
        cells = [_cell(cell, within) for cell in function.__closure__ or ()]
        return [code, _value([function.__defaults__, function.__kwdefaults__], within), cells]
    if callable(wrapped := getattr(function, "__wrapped__", None)):  # of numba, of lru_cache
        return [_name(type(function)), _function(wrapped, within)]
    raise _UnreadableError


def _source(code: types.CodeType) -> str:
    try:
        text = inspect.getsource(code)
    except (OSError, TypeError, ValueError, SyntaxError, tokenize.TokenError):
        return ""
    # A file that was changed after it was imported may have something else in these lines.
    found = re.search(rf"^\s*(async\s+)?def\s+{re.escape(code.co_name)}\b", text, re.MULTILINE)
    return text if found else ""


def _bytecode(code: types.CodeType, above: frozenset[int]) -> list[Any]:
    constants = [_value(constant, above) for constant in code.co_consts]
    names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    counts = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
    return [code.co_code.hex(), constants, names, counts]


def _cell(cell: types.CellType, above: frozenset[int]) -> Any:
    try:
        content = cell.cell_contents
    except ValueError:
        return "not set yet"
    return _value(content, above)


def _value(value: Any, above: frozenset[int]) -> Any:
    """JSON values for a constant or a bound value."""
    plain = (bool, int, float, complex, str, bytes, range, types.NoneType, types.EllipsisType)
    if type(value) in plain or isinstance(value, PurePath):
        return repr(value)
    if isinstance(value, types.CodeType):
        return _bytecode(value, above)
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return [value.dtype.str, value.shape, value.tobytes().hex()]
    if isinstance(value, types.ModuleType | type | types.BuiltinFunctionType | np.ufunc):
        return _name(value)
    if (items := _items(value)) is not None:
        return [_name(type(value)), *(_value(item, above) for item in items)]
    return _function(value, above)


def _items(value: Any) -> Sequence[Any] | None:
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    return [value.start, value.stop, value.step] if isinstance(value, slice) else None


def _name(thing: Any) -> str:
    """Where a module, class or function of C is found."""
    name = getattr(thing, "__qualname__", thing.__name__)
    return f"{getattr(thing, '__module__', None)}.{name}"


def _default(value: Any) -> Any:
    """A default's value; of one that cannot be read, and stands for a version, the type."""
    try:
        return _value(value, frozenset())
    except (_UnreadableError, RecursionError):
        return _name(type(value))


def _module(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__module__", None) or ""


@functools.cache
def _distribution(module: str) -> str:
    """Name and version of the distribution that brings a module; "" if there is none."""
    found = sorted(set(metadata.packages_distributions().get(module.partition(".")[0], ())))
    if len(found) > 1:  # a namespace that several share
        found = [name for name in found if _brings(name, module)]
    return " ".join(f"{name} {metadata.version(name)}" for name in found)


def _brings(distribution: str, module: str) -> bool:
    path = module.replace(".", "/")
    files = {file.as_posix() for file in metadata.files(distribution) or ()}
    return not files.isdisjoint({f"{path}.py", f"{path}/__init__.py"})


def import_modules(modules: Sequence[str]) -> None:
    """Import the modules that register custom calculators.

    Raises
    ------
    SourceError
        If one cannot be imported here.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise SourceError(
                f"modules: {name!r} cannot be imported in process {os.getpid()}: {error}; "
                "install it on every worker"
            ) from error
