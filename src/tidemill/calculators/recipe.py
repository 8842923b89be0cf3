"""What the features of a kind become: steps with encoded parameters, and what they share.

A recipe knows no block of series; programs calculate by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from tidemill.calculators.registry import find
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.calculators.table.spec import Calculator, load
from tidemill.model.aliases import Feature, Features
from tidemill.model.feature_names import feature_name

if TYPE_CHECKING:
    from tidemill.calculators.jit.parallel_compile import CompileJob

__all__ = ["KernelStep", "Pick", "Recipe", "compile_jobs"]

#: Values that are equal if their texts are; other ones may not show all that they hold.
_PLAIN = (bool, int, float, str, tuple, type(None))


@dataclass(frozen=True, slots=True, eq=False)
class KernelStep:
    """One calculator with all its parameter combinations, and where the values go."""

    calculator: Calculator
    params: tuple[dict[str, Any], ...]  # m combinations
    places: tuple[int, ...]  # columns, int[m]
    arrays: tuple[npt.NDArray[Any], ...]  # one per parameter, as kernels get them
    dtypes: tuple[str, ...]  # element types of ``arrays``
    contiguous: bool  # places follow each other, so the kernel writes to them directly


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """All calculators that are elements of one intermediate, and where the values go."""

    need: str
    names: tuple[str, ...]  # of the calculators
    triples: tuple[tuple[int, int, int], ...]  # (element, column, minimum length)


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What features become, whatever block they are calculated for; programs share it."""

    features: tuple[Feature, ...]  # checked, in the order of the columns
    columns: tuple[str, ...]  # names without the kind
    steps: tuple[KernelStep, ...]
    picks: tuple[Pick, ...]
    intermediates: tuple[str, ...]  # in the order in which they are made
    lags: int  # autocovariances reach up to this one
    needs_times: bool  # whether a calculator looks at the time stamps

    @classmethod
    def of(cls, features: Features) -> Recipe:
        """The recipe of some features, made once per process if their parameters are plain values.

        Making that of the comprehensive settings takes 9 ms, and looking for it 0.5 ms.
        """
        if not all(isinstance(v, _PLAIN) for _, params in features for v in params.values()):
            return _make_recipe(features)
        rows = frozenset(id(find(name)) for name in {name for name, _ in features})
        text = repr([(name, dict(params)) for name, params in features])
        return _shared_recipe(_Listed(text, rows, features))


@dataclass(frozen=True, slots=True)
class _Listed:
    """Features that are looked for by their text: 1 and 1.0 are equal, but not in a column."""

    text: str
    rows: frozenset[int]  # ids of the calculators, since a name may be given to another one
    features: Features = field(compare=False)


@lru_cache(maxsize=64)
def _shared_recipe(listed: _Listed) -> Recipe:
    return _make_recipe(listed.features)


def _make_recipe(features: Features) -> Recipe:
    checked = tuple((name, find(name).check(params)) for name, params in features)
    columns = tuple(feature_name(None, name, params) for name, params in checked)
    steps = _make_steps(checked)
    order = _order_of_intermediates(steps)
    times = any(step.calculator.needs_times for step in steps)
    return Recipe(checked, columns, steps, _make_picks(steps), order, _most_lags(steps), times)


def _make_steps(features: Features) -> tuple[KernelStep, ...]:
    grouped: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for place, (name, params) in enumerate(features):
        grouped.setdefault(name, []).append((place, dict(params)))
    return tuple(_make_step(find(name), entries) for name, entries in grouped.items())


def _make_picks(steps: Sequence[KernelStep]) -> tuple[Pick, ...]:
    grouped: dict[str, list[KernelStep]] = {}
    for step in steps:
        if step.calculator.element >= 0:
            grouped.setdefault(step.calculator.needs[0], []).append(step)
    return tuple(_make_pick(need, found) for need, found in grouped.items())


def _make_pick(need: str, steps: Sequence[KernelStep]) -> Pick:
    triples = [
        (step.calculator.element, place, step.calculator.minimum_length)
        for step in steps
        for place in step.places
    ]
    return Pick(need, tuple(step.calculator.name for step in steps), tuple(triples))


def _make_step(row: Calculator, entries: list[tuple[int, dict[str, Any]]]) -> KernelStep:
    places = tuple(place for place, _ in entries)
    params = tuple(values for _, values in entries)
    arrays = () if row.function else _encode(row, params)
    contiguous = places == tuple(range(places[0], places[0] + len(places)))
    return KernelStep(row, params, places, arrays, tuple(a.dtype.name for a in arrays), contiguous)


def _encode(row: Calculator, params: Sequence[Mapping[str, Any]]) -> tuple[npt.NDArray[Any], ...]:
    arrays = tuple(
        spec.encode([values.get(spec.name, spec.default) for values in params])
        for spec in row.parameters
    )
    return arrays + (load(row.tables)(*arrays) if row.tables else ())


def _order_of_intermediates(steps: Sequence[KernelStep]) -> tuple[str, ...]:
    """The intermediates to be made for the steps, each after those it needs itself."""
    asked = {need for step in steps if not step.calculator.function for need in _needs(step)}
    made = [
        row for row in INTERMEDIATES.values() if row.name in asked and (row.kernel or row.batch)
    ]
    return tuple(row.name for row in sorted(made, key=lambda row: len(row.needs)))


def _needs(step: KernelStep) -> set[str]:
    direct = set(step.calculator.needs) & INTERMEDIATES.keys()
    return direct | {n for name in direct for n in INTERMEDIATES[name].needs if n in INTERMEDIATES}


def compile_jobs(recipe: Recipe) -> list[CompileJob]:
    """All kernels of the steps and of what they need."""
    from tidemill.calculators.jit.parallel_compile import CompileJob
    from tidemill.calculators.jit.workspace import choose, input_dtypes

    jobs: list[CompileJob] = []
    for row in (INTERMEDIATES[name] for name in recipe.intermediates):
        path, needs = choose(row, frozenset(recipe.intermediates))
        used = [(path, input_dtypes(needs))] if path else row.uses
        jobs += [CompileJob(kernel, inputs, ()) for kernel, inputs in used]
    return list(dict.fromkeys(jobs)) + [
        CompileJob(step.calculator.kernel, input_dtypes(step.calculator.needs), step.dtypes)
        for step in recipe.steps
        if step.calculator.kernel
    ]


def _most_lags(steps: Sequence[KernelStep]) -> int:
    lags = [
        int(values[step.calculator.lags])
        for step in steps
        if step.calculator.lags
        for values in step.params
    ]
    return max(lags, default=0)
