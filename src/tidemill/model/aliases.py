"""Type aliases that many modules share: arrays of numbers, features, ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Feature", "Features", "Floats", "IdKey", "Index"]

#: Values, float64 of any shape.
Floats: TypeAlias = npt.NDArray[np.float64]
#: Positions, lengths and counts, int64[n].
Index: TypeAlias = npt.NDArray[np.int64]
#: A calculator's name and its parameters.
Feature: TypeAlias = tuple[str, Mapping[str, Any]]
#: Features in the order of their columns.
Features: TypeAlias = Sequence[Feature]
#: An id as JSON holds it: timestamps and dates by their integer in Arrow's unit.
IdKey: TypeAlias = int | float | str | None
