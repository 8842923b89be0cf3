"""A kind's features, compiled into steps over a block of series."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tidemill.blocks import SeriesBlock
from tidemill.calculators.custom import calculate_custom, failure_message
from tidemill.calculators.needs import INTERMEDIATES
from tidemill.calculators.registry import find
from tidemill.calculators.spec import Calculator
from tidemill.columns import feature_name
from tidemill.errors import ArgumentError, CalculationError

if TYPE_CHECKING:
    from tidemill.calculators.intermediates import Workspace

__all__ = ["Failure", "Program", "warmup"]

Features = Sequence[tuple[str, Mapping[str, Any]]]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Failure:
    """A calculator that raised for one series, with ``on_error="nan"``."""

    series: int  # its number in the block
    calculator: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One calculator with all its parameter combinations, and where the values go."""

    calculator: Calculator
    params: tuple[dict[str, Any], ...]  # m combinations
    places: tuple[int, ...]  # columns, int[m]
    arrays: tuple[npt.NDArray[Any], ...]  # one per parameter, as kernels get them
    contiguous: bool  # places follow each other, so the kernel writes to them directly

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The element types of ``arrays``."""
        return tuple(array.dtype.name for array in self.arrays)


class Program:
    """Calculates the features of one kind, block by block; threads may share one.

    Parameters
    ----------
    features
        (calculator, parameters) in the order of the columns.
    on_error
        What happens when a custom calculator raises: "raise" stops with a CalculationError,
        "nan" leaves NaN in its cell and reports a :class:`Failure`.

    Raises
    ------
    SettingsError
        If a calculator or parameter does not exist.

    Examples
    --------
    >>> program = Program([("maximum", {}), ("quantile", {"q": 0.5})])
    >>> program.columns
    ('maximum', 'quantile__q_0.5')
    >>> stops = np.array([3, 5])
    >>> block = SeriesBlock("x", np.array([1.0, 2.0, 9.0, 4.0, 6.0]), stops - [3, 2], stops)
    >>> out = np.empty((2, 2))
    >>> program.calculate(block, out)
    []
    >>> out
    array([[9., 2.],
           [6., 5.]])
    """

    def __init__(self, features: Features, on_error: Literal["raise", "nan"] = "raise") -> None:
        self.features = tuple((name, find(name).check(params)) for name, params in features)
        self.columns = tuple(feature_name(None, name, params) for name, params in self.features)
        self.steps = _make_steps(self.features)
        self.intermediates = _order_of_intermediates(self.steps)
        self.needs_times = any(step.calculator.needs_times for step in self.steps)
        self.seconds: dict[str, float] = {}
        self._on_error = on_error
        self._lags = _most_lags(self.steps)
        self._lock = threading.Lock()

    def calculate(self, block: SeriesBlock, out: Matrix) -> list[Failure]:
        """Fill ``out``, float64[k, len(columns)], for the k series of a block of any size.

        Raises
        ------
        ArgumentError
            If ``out`` has another shape, or times are needed and missing.
        CalculationError
            If a custom calculator raises and ``on_error="raise"``.
        """
        self._check(block, out)
        target = out if out.flags.c_contiguous else np.empty(out.shape)
        failures: list[Failure] = []
        for first, last in block.split():
            found = self._calculate_cut(block.cut(first, last), target[first:last])
            failures += [replace(failure, series=failure.series + first) for failure in found]
        if target is not out:
            out[:] = target
        return failures

    def take_seconds(self) -> dict[str, float]:
        """Seconds per calculator and per "need:<intermediate>" since the last call."""
        with self._lock:
            taken, self.seconds = self.seconds, {}
        return taken

    def warmup(self) -> None:
        """Load or compile every kernel by calculating three tiny series."""
        stops = np.array([4, 8, 8], dtype=np.int64)
        starts = np.array([0, 4, 8], dtype=np.int64)
        times = np.arange(8, dtype=np.int64)
        block = SeriesBlock("warmup", np.arange(8.0), starts, stops, times)
        steps = [step for step in self.steps if step.calculator.function is None]
        self._run(block, np.empty((3, len(self.columns))), steps)

    def _check(self, block: SeriesBlock, out: Matrix) -> None:
        expected = (block.n_series, len(self.columns))
        if out.shape != expected or out.dtype != np.float64:
            raise ArgumentError(f"out must be float64{list(expected)}, not {out.dtype}{out.shape}")
        if self.needs_times and block.times is None:
            names = sorted({s.calculator.name for s in self.steps if s.calculator.needs_times})
            raise ArgumentError(
                f"kind {block.kind!r}: {', '.join(names)} needs time stamps; give a sort column "
                "of datetimes or leave it out of the settings"
            )

    def _calculate_cut(self, block: SeriesBlock, out: Matrix) -> list[Failure]:
        failures, seconds = self._run(block, out, self.steps)
        with self._lock:
            for name, value in seconds.items():
                self.seconds[name] = self.seconds.get(name, 0.0) + value
        return failures

    def _run(
        self, block: SeriesBlock, out: Matrix, steps: Sequence[Step]
    ) -> tuple[list[Failure], dict[str, float]]:
        from tidemill.calculators.intermediates import Workspace

        workspace = Workspace(block, frozenset(self.intermediates), self._lags)
        seconds: dict[str, float] = {}
        failures: list[Failure] = []
        before = time.perf_counter()
        for name in self.intermediates:
            if not workspace.has(name):
                workspace.make(name)
                before = _clock(seconds, f"need:{name}", before)
        for step in steps:
            if step.calculator.function is None:
                _run_kernel(step, workspace, out)
            else:
                failures += self._run_function(step, block, out)
            before = _clock(seconds, step.calculator.name, before)
        return failures, seconds

    def _run_function(self, step: Step, block: SeriesBlock, out: Matrix) -> list[Failure]:
        failures: list[Failure] = []
        name = step.calculator.name

        def on_failure(series: int, params: Mapping[str, Any] | None, error: Exception) -> None:
            message = failure_message(error)
            if self._on_error == "raise":
                shown = "" if not params else f" with {dict(params)!r}"
                raise CalculationError(
                    f"{name}{shown} failed for kind {block.kind!r}: {message}; correct it, or "
                    "leave NaN in its cells with on_error='nan'"
                ) from error
            failures.append(Failure(series, name, message))

        cells = np.empty((block.n_series, len(step.params)))
        calculate_custom(step.calculator, step.params, block, cells, on_failure)
        out[:, step.places] = cells
        return failures


def _run_kernel(step: Step, workspace: Workspace, out: Matrix) -> None:
    row, m = step.calculator, len(step.params)
    if row.element >= 0:
        picked = workspace.pick(row.needs[0], row.element, row.minimum_length)
        out[:, step.places] = picked[:, None]
        return
    if step.contiguous:
        target, first = out, step.places[0]
    else:
        target, first = np.empty((len(out), m)), 0
    workspace.run(
        row.kernel,
        row.needs,
        step.dtypes,
        step.arrays,
        row.minimum_length,
        target,
        first,
        first + m,
    )
    if not step.contiguous:
        out[:, step.places] = target


def _clock(seconds: dict[str, float], name: str, before: float) -> float:
    now = time.perf_counter()
    seconds[name] = seconds.get(name, 0.0) + now - before
    return now


def _make_steps(features: Features) -> tuple[Step, ...]:
    grouped: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for place, (name, params) in enumerate(features):
        grouped.setdefault(name, []).append((place, dict(params)))
    return tuple(_make_step(find(name), entries) for name, entries in grouped.items())


def _make_step(row: Calculator, entries: list[tuple[int, dict[str, Any]]]) -> Step:
    places = tuple(place for place, _ in entries)
    params = tuple(values for _, values in entries)
    arrays = () if row.function else _encode(row, params)
    contiguous = places == tuple(range(places[0], places[0] + len(places)))
    return Step(row, params, places, arrays, contiguous)


def _encode(row: Calculator, params: Sequence[Mapping[str, Any]]) -> tuple[npt.NDArray[Any], ...]:
    return tuple(spec.encode([values[spec.name] for values in params]) for spec in row.parameters)


def _order_of_intermediates(steps: Sequence[Step]) -> tuple[str, ...]:
    """The intermediates to be made for the steps, each after those it needs itself."""
    asked = {need for step in steps if not step.calculator.function for need in _needs(step)}
    made = [
        row for row in INTERMEDIATES.values() if row.name in asked and (row.kernel or row.batch)
    ]
    return tuple(row.name for row in sorted(made, key=lambda row: len(row.needs)))


def _needs(step: Step) -> set[str]:
    direct = set(step.calculator.needs) & INTERMEDIATES.keys()
    return direct | {n for name in direct for n in INTERMEDIATES[name].needs if n in INTERMEDIATES}


def _most_lags(steps: Sequence[Step]) -> int:
    lags = [
        int(values[step.calculator.lags])
        for step in steps
        if step.calculator.lags
        for values in step.params
    ]
    return max(lags, default=0)


def warmup(features: Features) -> float:
    """Compile, or load from the cache on disk, every kernel these features use.

    The first process on a host compiles, others wait for it and load.

    Returns
    -------
    float
        Seconds it took.

    Examples
    --------
    >>> warmup([("mean", {})]) >= 0
    True
    """
    before = time.perf_counter()
    Program(features).warmup()
    return time.perf_counter() - before
