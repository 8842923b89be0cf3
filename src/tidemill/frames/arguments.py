"""What the in-memory doors share: settings, features of a batch, threads."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tidemill.calculators.costs import quadratic_warning
from tidemill.calculators.registry import PRESETS, preset
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, QuadraticWarning
from tidemill.model.aliases import Features
from tidemill.model.feature_names import check_width
from tidemill.model.series import Batch
from tidemill.model.shared_context import SharedContext

__all__ = [
    "calculator_warnings",
    "count_threads",
    "features_of",
    "needs_times",
    "read_settings",
    "warn_of_long_series",
]

#: Stands for every kind without settings of its own.
OTHER_KINDS = ""


def needs_times(settings: Settings) -> bool:
    """Whether the features of any kind, with or without settings of its own, need timestamps."""
    return settings.needs_times([*settings.kinds, OTHER_KINDS])


def features_of(settings: Settings, batch: Batch) -> dict[str, Features]:
    """The features of each kind in a batch.

    Raises
    ------
    InputError
        If the settings name other kinds, or the matrix would be too wide.
    """
    settings.check_kinds(list(batch.blocks))
    features: dict[str, Features] = {kind: settings.features_for(kind) for kind in batch.blocks}
    check_width(sum(map(len, features.values())))
    return features


def warn_of_long_series(batch: Batch, features: Mapping[str, Features]) -> None:
    """Warn once, before they run, that calculators of quadratic time got long series.

    Regardless of ``show_warnings``, which covers the calculators' own warnings.
    """
    lengths = {kind: block.lengths for kind, block in batch.blocks.items()}
    if text := quadratic_warning(features, lengths, np.ones(len(batch.ids))):
        warnings.warn(text, QuadraticWarning, stacklevel=3)


@contextlib.contextmanager
def calculator_warnings(*, show: bool) -> Iterator[None]:
    """Silence the warnings of calculators, unless they are to be shown."""
    with contextlib.nullcontext() if show else _no_warnings():
        yield


@SharedContext
@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Show none of this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_settings(given: Any, by_kind: Mapping[str, Any] | None, *, timed: bool) -> Settings:
    """Read settings as tsfresh does; ``timed``: the data have timestamps as their index."""
    if given is None and not by_kind:
        given = "comprehensive"
    kinds = {kind: _with_times(one, timed=timed) for kind, one in (by_kind or {}).items()}
    return Settings.from_any(_with_times(given, timed=timed), kinds)


def _with_times(given: Any, *, timed: bool) -> Any:
    """Add timestamp calculators to a preset, or drop them from tsfresh's own settings."""
    if timed and isinstance(given, str) and given in PRESETS:
        return preset(given, times=True)
    if not timed and type(given).__module__ == "tsfresh.feature_extraction.settings":
        return {name: params for name, params in given.items() if name != "linear_trend_timewise"}
    return given


def count_threads(n_jobs: int | None) -> int:
    """The number of threads for the argument ``n_jobs``.

    Raises
    ------
    ArgumentError
        If it is negative.

    Examples
    --------
    >>> count_threads(0), count_threads(4)
    (1, 4)
    """
    if n_jobs is None:
        return os.cpu_count() or 1
    if n_jobs < 0:
        raise ArgumentError(
            f"n_jobs={n_jobs} is not allowed; give 0 or more, or None for all cores"
        )
    return max(n_jobs, 1)
