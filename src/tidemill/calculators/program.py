"""A kind's features, compiled into steps over a block of series."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tidemill.calculators.custom import calculate_custom, failure_message
from tidemill.calculators.kernels.unsolved import solve
from tidemill.calculators.recipe import KernelStep, Recipe, compile_jobs
from tidemill.errors import ArgumentError, CalculationError
from tidemill.model.aliases import Feature, Features, Floats, Index
from tidemill.model.series import SeriesBlock

if TYPE_CHECKING:
    from tidemill.calculators.jit.parallel_compile import CompileJob
    from tidemill.calculators.jit.workspace import Workspace

__all__ = ["Failure", "Program", "to_compile", "warmup"]


Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A calculator that raised for one series, with ``on_error="nan"``."""

    series: int  # its number in the block
    calculator: str
    message: str


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
        self.recipe = Recipe.of(features)
        self.seconds: dict[str, float] = {}
        self._on_error = on_error
        self._lock = threading.Lock()
        self._prepared = False

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features, checked, in the order of the columns."""
        return self.recipe.features

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, without the kind."""
        return self.recipe.columns

    @property
    def steps(self) -> tuple[KernelStep, ...]:
        """The calculators with their parameters."""
        return self.recipe.steps

    @property
    def intermediates(self) -> tuple[str, ...]:
        """What is made for several calculators, each after what it needs itself."""
        return self.recipe.intermediates

    @property
    def needs_times(self) -> bool:
        """Whether a calculator looks at the time stamps."""
        return self.recipe.needs_times

    def calculate(
        self, block: SeriesBlock, out: Floats, checkpoint: Checkpoint | None = None
    ) -> list[Failure]:
        """Fill ``out``, float64[k, len(columns)], for the k series of a block of any size.

        ``checkpoint`` is called before every cut of the block, and before every series that a
        custom calculator sees; it may raise to stop the work.

        Raises
        ------
        ArgumentError
            If ``out`` has another shape, or times are needed and missing.
        CalculationError
            If a custom calculator raises and ``on_error="raise"``.
        """
        self._check(block, out)
        self._prepare()
        failures: list[Failure] = []
        order = _by_length(block)
        block = block if order is None else block.take(order)
        for first, last in block.split():
            if checkpoint is not None:
                checkpoint()
            rows = slice(first, last) if order is None else order[first:last]
            failures += self._calculate_cut(block.cut(first, last), out, rows, checkpoint)
        return sorted(failures, key=lambda failure: failure.series)

    def take_seconds(self) -> dict[str, float]:
        """Seconds per calculator and per "need:<intermediate>" since the last call."""
        with self._lock:
            taken, self.seconds = self.seconds, {}
        return taken

    def warmup(self) -> None:
        """Load or compile every kernel by calculating three tiny series."""
        self._prepare()
        stops = np.array([4, 8, 8], dtype=np.int64)
        starts = np.array([0, 4, 8], dtype=np.int64)
        times = np.arange(8, dtype=np.int64)
        block = SeriesBlock("warmup", np.arange(8.0), starts, stops, times)
        steps = [step for step in self.steps if step.calculator.function is None]
        self._run(block, np.empty((3, len(self.columns))), steps)

    def _prepare(self) -> None:
        """Compile what is missing, by several processes if it is much."""
        if not self._prepared:
            from tidemill.calculators.jit.parallel_compile import fill

            with self._lock:
                if not self._prepared:
                    fill(compile_jobs(self.recipe))
                    self._prepared = True

    def _check(self, block: SeriesBlock, out: Floats) -> None:
        expected = (block.n_series, len(self.columns))
        if out.shape != expected or out.dtype != np.float64:
            raise ArgumentError(f"out must be float64{list(expected)}, not {out.dtype}{out.shape}")
        if self.needs_times and block.times is None:
            names = sorted({s.calculator.name for s in self.steps if s.calculator.needs_times})
            raise ArgumentError(
                f"kind {block.kind!r}: {', '.join(names)} needs time stamps; give a sort column "
                "of datetimes or leave it out of the settings"
            )

    def _calculate_cut(
        self, block: SeriesBlock, out: Floats, rows: slice | Index, checkpoint: Checkpoint | None
    ) -> list[Failure]:
        """Fill some rows of ``out`` with a block that stays in a core's cache."""
        in_place = isinstance(rows, slice) and out.flags.c_contiguous
        target = out[rows] if in_place else np.empty((block.n_series, out.shape[1]))
        places = np.arange(len(out))[rows]
        try:
            failures, seconds = self._run(block, target, self.steps, checkpoint)
        except CalculationError as error:
            error.series = None if error.series is None else int(places[error.series])
            raise
        if not in_place:
            out[rows] = target
        with self._lock:
            for name, value in seconds.items():
                self.seconds[name] = self.seconds.get(name, 0.0) + value
        return [replace(failure, series=int(places[failure.series])) for failure in failures]

    def _run(
        self,
        block: SeriesBlock,
        out: Floats,
        steps: Sequence[KernelStep],
        checkpoint: Checkpoint | None = None,
    ) -> tuple[list[Failure], dict[str, float]]:
        from tidemill.calculators.jit.workspace import Workspace

        workspace = Workspace(block, frozenset(self.intermediates), self.recipe.lags)
        seconds: dict[str, float] = {}
        failures: list[Failure] = []
        before = time.perf_counter()
        for name in self.intermediates:
            if not workspace.has(name):
                workspace.make(name)
                before = _clock(seconds, (f"need:{name}",), before)
        for pick in self.recipe.picks:
            workspace.pick(pick.need, pick.triples, out)
            before = _clock(seconds, pick.names, before)
        for step in steps:
            if step.calculator.element >= 0:
                continue
            if step.calculator.function is None:
                _run_kernel(step, workspace, out)
            else:
                failures += self._run_function(step, block, out, checkpoint)
            before = _clock(seconds, (step.calculator.name,), before)
        return failures, seconds

    def _run_function(
        self, step: KernelStep, block: SeriesBlock, out: Floats, checkpoint: Checkpoint | None
    ) -> list[Failure]:
        failures: list[Failure] = []
        name = step.calculator.name

        def on_failure(series: int, params: Mapping[str, Any] | None, error: BaseException) -> None:
            message = failure_message(error)
            if self._on_error == "raise":
                shown = "" if not params else f" with {dict(params)!r}"
                raised = CalculationError(
                    f"{name}{shown} failed for kind {block.kind!r}: {message}; correct it, or "
                    "leave NaN in its cells with on_error='nan'"
                )
                raised.series = series
                raise raised from error
            failures.append(Failure(series, name, message))

        cells = np.empty((block.n_series, len(step.params)))
        calculate_custom(step.calculator, step.params, block, cells, on_failure, checkpoint)
        out[:, step.places] = cells
        return failures


def _by_length(block: SeriesBlock) -> Index | None:
    """The series in the order of their lengths; None if they lie so.

    Side by side, series of one length or of about one are transformed and sorted together.
    """
    lengths = block.lengths
    if (lengths[1:] >= lengths[:-1]).all():
        return None
    return np.argsort(lengths, kind="stable")


def _run_kernel(step: KernelStep, workspace: Workspace, out: Floats) -> None:
    row, m = step.calculator, len(step.params)
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
    if row.exact:
        solve(row.exact, workspace.block, step.arrays, target[:, first : first + m])
    if not step.contiguous:
        out[:, step.places] = target


def _clock(seconds: dict[str, float], names: Sequence[str], before: float) -> float:
    now = time.perf_counter()
    for name in names:
        seconds[name] = seconds.get(name, 0.0) + (now - before) / len(names)
    return now


def to_compile(programs: Iterable[Program], more: Iterable[CompileJob] = ()) -> int:
    """Kernels of these programs, and more of them, that no process of this host has compiled yet.

    Examples
    --------
    >>> program = Program([("mean", {})])
    >>> program.warmup()
    >>> to_compile([program])
    0
    """
    from tidemill.calculators.jit.kernel import load_kernel

    asked = {job for program in programs for job in compile_jobs(program.recipe)} | set(more)
    return sum(not load_kernel(job.path).is_ready(job.inputs, job.parameters) for job in asked)


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
