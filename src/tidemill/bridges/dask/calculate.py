"""The features of one frame: what a task of Dask runs on its worker, and what it is told.

A :class:`FrameCalculation` is made once, where the request is, and goes to the workers by
reference. There the threads of Dask are the parallelism: a task takes one, and BLAS one as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import pandas as pd

from tidemill.calculators.registry import CALCULATORS, find, register
from tidemill.calculators.settings import Settings
from tidemill.calculators.table.spec import Calculator
from tidemill.errors import ArgumentError, DataError, shorten
from tidemill.frames.arguments import (
    calculator_warnings,
    needs_times,
    read_settings,
    warn_of_long_series,
)
from tidemill.frames.calculate import calculate_batch
from tidemill.model.aliases import Features
from tidemill.model.feature_names import check_kinds
from tidemill.model.policies import Policies
from tidemill.model.series import Batch
from tidemill.sources.frames.containers import Container, has_time_index, read_frame, to_frame
from tidemill.sources.frames.ids import id_dtype
from tidemill.sources.frames.roles import (
    FrameRoles,
    RoleLabels,
    check_frame,
    find_frame_roles,
    with_index_columns,
)

__all__ = [
    "Container",
    "FrameCalculation",
    "calculate_frame",
    "empty_features",
    "features_by_kind",
    "kinds_of",
    "read_container",
    "register_customs",
    "roles_of",
]

WHERE = "timeseries_container"


@dataclass(frozen=True, slots=True)
class FrameCalculation:
    """What is calculated of every frame: small, frozen, and equal in every process.

    Make it with :meth:`of`.
    """

    settings: str  # the canonical form as JSON
    column_id: Any
    column_sort: Any
    column_kind: Any
    column_value: Any
    kinds: tuple[str, ...]  # of the matrix, in the order of its columns; frames may lack some
    policies: Policies
    show_warnings: bool = False
    customs: tuple[Calculator, ...] = ()  # functions that a worker cannot know by their names

    @classmethod
    def of(
        cls,
        sample: Container,
        default_fc_parameters: Any = None,
        kind_to_fc_parameters: Mapping[str, Any] | None = None,
        *,
        column_id: Any,
        column_sort: Any = None,
        column_kind: Any = None,
        column_value: Any = None,
        kinds: Iterable[Any] | None = None,
        policies: Policies = Policies(),  # noqa: B008 (frozen)
        show_warnings: bool = False,
    ) -> Self:
        """Check a request against a sample of the frames, which may be empty.

        Parameters
        ----------
        sample : a frame, or a frame per kind, with the columns, dtypes and index of all frames
        default_fc_parameters, kind_to_fc_parameters : settings, as ``extract_features`` takes them
        column_id, column_sort, column_kind, column_value : roles of the columns
        kinds : all kinds of the long format, in the order of the matrix; not for other formats,
            whose columns or keys are the kinds
        policies : for NaN, duplicates and errors
        show_warnings : show warnings of custom calculators, on the workers

        Raises
        ------
        InputError
            If settings, roles or kinds cannot be used, as ``extract_features`` would say.

        Examples
        --------
        >>> sample = pd.DataFrame({"id": [1], "x": [0.5]}).iloc[:0]
        >>> FrameCalculation.of(sample, "minimal", column_id="id").columns[:2]
        ('x__sum_values', 'x__median')
        """
        settings = read_settings(
            default_fc_parameters, kind_to_fc_parameters, timed=has_time_index(sample)
        )
        labels = RoleLabels.of(column_id, column_sort, column_kind, column_value)
        found = kinds_of(sample, labels, kinds)
        settings.columns(found)
        chosen = (one for kind in found for one in settings.features_for(kind))
        customs = [find(name) for name in sorted({name for name, _ in chosen})]
        return cls(
            json.dumps(settings.canonical()), column_id, column_sort, column_kind, column_value,
            found, policies, show_warnings, tuple(one for one in customs if one.function),
        )  # fmt: skip

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns of the matrix."""
        return _settings(self.settings).columns(self.kinds)


def calculate_frame(container: Container, calculation: FrameCalculation) -> pd.DataFrame:
    """The feature matrix of a frame, or of a frame per kind; an empty one has no rows.

    The values are those of ``tidemill.extract_features``, bit for bit, calculated by the calling
    thread alone. All columns of the request are there: kinds that the frame lacks are NaN.

    Raises
    ------
    InputError
        If the frame cannot be used.
    CalculationError
        If a calculator raises and ``on_error="raise"``; the message names the series.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [2, 1, 1], "x": [5.0, 1.0, 3.0]})
    >>> calculation = FrameCalculation.of(frame, {"mean": None}, column_id="id")
    >>> calculate_frame(frame, calculation)
       x__mean
    1      2.0
    2      5.0
    """
    given = _without_empty(container)
    if given is None:
        return empty_features(container, calculation)
    register_customs(calculation.customs)
    batch = read_container(given, calculation)
    features = features_by_kind(calculation)
    warn_of_long_series(batch, {kind: features[kind] for kind in batch.blocks})
    with calculator_warnings(show=calculation.show_warnings):
        columns, matrix = calculate_batch(batch, features, calculation.policies.on_error)
    dtype = id_dtype(given, calculation.column_id)
    return to_frame(batch.ids, columns, matrix, dtype=dtype)


def read_container(container: Container, calculation: FrameCalculation) -> Batch:
    """The series of a frame, or of a frame per kind, that has rows; errors as above."""
    batch = read_frame(
        container,
        column_id=calculation.column_id,
        column_sort=calculation.column_sort,
        column_kind=calculation.column_kind,
        column_value=calculation.column_value,
        policies=calculation.policies,
        needs_times=needs_times(_settings(calculation.settings)),
    )
    if others := [kind for kind in batch.blocks if kind not in calculation.kinds]:
        raise DataError(
            f"{WHERE} has rows of kind {shorten(map(repr, others))}, which kinds="
            f"{list(calculation.kinds)} does not name: name every kind, or filter these rows"
        )
    return batch


def features_by_kind(calculation: FrameCalculation) -> dict[str, Features]:
    """The features of each kind of the matrix."""
    settings = _settings(calculation.settings)
    return {kind: settings.features_for(kind) for kind in calculation.kinds}


def empty_features(sample: Container, calculation: FrameCalculation) -> pd.DataFrame:
    """The matrix of frames like the sample, without rows: its columns, dtypes and index.

    Examples
    --------
    >>> sample = pd.DataFrame({"id": ["a"], "x": [0.5]})
    >>> calculation = FrameCalculation.of(sample, {"mean": None}, column_id="id")
    >>> empty_features(sample, calculation).dtypes.to_dict()
    {'x__mean': dtype('float64')}
    """
    dtype = id_dtype(sample, calculation.column_id)
    index: pd.Index[Any]
    if isinstance(dtype, pd.Series):
        levels = [pd.Index([], dtype=one) for one in dtype]
        index = pd.MultiIndex.from_arrays(levels, names=list(dtype.index))
    else:
        index = pd.Index([], dtype=dtype)
    return pd.DataFrame(index=index, columns=list(calculation.columns), dtype="float64")


def roles_of(
    frame: pd.DataFrame, labels: RoleLabels, where: str = WHERE
) -> tuple[pd.DataFrame, FrameRoles]:
    """A frame that may be empty, with the levels of its index that have a role, and the roles.

    Raises
    ------
    InputError
        If it is no frame, or a role names no column.
    """
    check_frame(frame, where, may_be_empty=True)
    indexed = with_index_columns(frame, labels.every())
    return indexed, find_frame_roles(indexed, labels, where)


def kinds_of(sample: Container, labels: RoleLabels, kinds: Iterable[Any] | None) -> tuple[str, ...]:
    """The kinds of a frame's matrix; those of the long format have to be given."""
    if isinstance(sample, Mapping):
        for key, frame in sample.items():
            roles_of(frame, labels, f"{WHERE}[{key!r}]")
        found = check_kinds(sample)
    else:
        _, roles = roles_of(sample, labels)
        if labels.kind is not None:
            return _given_kinds(kinds)
        found = check_kinds(roles.values)
    if kinds is not None:
        raise ArgumentError(
            f"kinds={list(kinds)} has no meaning without column_kind: the kinds are those of the "
            "columns or the keys; choose some with column_value, or leave it out"
        )
    return found


def _given_kinds(kinds: Iterable[Any] | None) -> tuple[str, ...]:
    if kinds is None or isinstance(kinds, str):
        raise ArgumentError(
            f"kinds={kinds!r}: the long format needs a list of all kinds, as in kinds=['x', 'y']"
        )
    named = check_kinds(kinds)
    if not named:
        raise ArgumentError("kinds=[] names no kind: name every kind of the column_kind")
    return named


def _without_empty(container: Container) -> Container | None:
    """The frame, or the frames of a dict, that have rows."""
    if isinstance(container, Mapping):
        return {key: frame for key, frame in container.items() if len(frame)} or None
    check_frame(container, WHERE, may_be_empty=True)
    return container if len(container) else None


@lru_cache(maxsize=16)
def _settings(text: str) -> Settings:
    """Settings, read once per process: those of 783 features take 11 ms."""
    return Settings.from_any(json.loads(text))


def register_customs(customs: Iterable[Calculator]) -> None:
    """Make functions known that came with the request, unless this process knows them."""
    for row in customs:
        known = CALCULATORS.get(row.name)
        if known is None or known.code != row.code or known.version != row.version:
            # Its source cannot be read here, and nothing of a worker asks for its identity.
            register(replace(row, version=row.version or row.code or "unknown"))
