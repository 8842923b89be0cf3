"""What pandas says of constant series, whose skewness and kurtosis tsfresh leaves to it."""

from __future__ import annotations

import math
from importlib.metadata import version

import numpy as np

from tidemill.model.aliases import Floats

__all__ = ["moments_of_constants"]

_UNDEFINED = (3, 1)  # the first version that says NaN; earlier ones say 0


def moments_of_constants() -> tuple[Floats]:
    """Skewness and kurtosis of a constant series, float64[1], in the installed version.

    Examples
    --------
    >>> (value,) = moments_of_constants()
    >>> len(value)
    1
    """
    installed = tuple(int(part) for part in version("pandas").split(".")[:2])
    return (np.array([math.nan if installed >= _UNDEFINED else 0.0]),)
