"""Time series in, feature matrix out: on a schedule, at any size, every number right.

Importing this package does not import Prefect, Dask or numba; each name loads what it needs.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.bridges.dask.to_delta import to_delta
    from tidemill.calculators import calculator
    from tidemill.calculators.settings import Settings
    from tidemill.errors import TidemillError
    from tidemill.frames.extract_arrays import extract_arrays
    from tidemill.frames.extract_at import extract_at
    from tidemill.frames.extract_features import extract_features
    from tidemill.frames.extract_rolling import extract_rolling
    from tidemill.frames.feature_costs import feature_costs
    from tidemill.selection.relevant import extract_relevant_features
    from tidemill.selection.select import select_features
    from tidemill.storage.read_matrix import read_matrix

__version__ = "0.1.0"

__all__ = [
    "Settings",
    "TidemillError",
    "calculator",
    "extract_arrays",
    "extract_at",
    "extract_features",
    "extract_relevant_features",
    "extract_rolling",
    "feature_costs",
    "read_matrix",
    "select_features",
    "to_delta",
]

_HOMES = {
    "Settings": "tidemill.calculators.settings",
    "TidemillError": "tidemill.errors",
    "calculator": "tidemill.calculators",
    "extract_arrays": "tidemill.frames.extract_arrays",
    "extract_at": "tidemill.frames.extract_at",
    "extract_features": "tidemill.frames.extract_features",
    "extract_relevant_features": "tidemill.selection.relevant",
    "extract_rolling": "tidemill.frames.extract_rolling",
    "feature_costs": "tidemill.frames.feature_costs",
    "read_matrix": "tidemill.storage.read_matrix",
    "select_features": "tidemill.selection.select",
    "to_delta": "tidemill.bridges.dask.to_delta",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
