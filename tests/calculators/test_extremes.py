"""Every calculator against tsfresh where derived values overflow or vanish, in bounded time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tidemill.calculators.table.build import ROWS

from . import extremes
from .extremes import EXTREMES, FEATURES, MOST, SERIES
from .families import make_times
from .oracle import expected
from .test_oracle import close

pytestmark = pytest.mark.timeout(600)  # of which compiling may take most

ROOT = Path(__file__).parents[2]
SECONDS = 540  # to compile on a busy machine, and to calculate what takes a few seconds
#: At the edge of overflow the order of a sum decides, and BLAS has orders of its own.
SCALES = (0.5, 0.25, 0.125, 1 - 2.0**-36, 1 - 3 * 2.0**-36, 1 - 5 * 2.0**-36)
#: Sums by BLAS and LAPACK, which overflow on their way in orders of their own.
BY_BLAS = {
    "cwt_coefficients",
    "friedrich_coefficients",
    "linear_trend_timewise",
    "max_langevin_fixed_point",
    "number_cwt_peaks",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = tmp_path_factory.mktemp("extremes") / "found.npy"
    command = [sys.executable, "-W", "error", "-m", extremes.__name__, str(path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=SECONDS)
    return np.load(path)


def _wanted(name, params, x):
    try:
        return expected(name, params, x, make_times(len(x)))
    except TypeError:  # of numpy.polyfit, without any point
        return [np.nan] * len(params)


def _is_close(found, wanted, x, params):
    size = float(np.abs(x).max())
    if (found > 0) == (wanted > 0) and min(abs(found), abs(wanted)) > 0.9999999 * MOST:
        return True  # on either side of the largest double
    absolute = 1e-8 * min(1.0, size) + 1e-320
    if params.get("attr") in ("intercept", "slope"):  # as large as the values
        absolute = 1e-12 * size
    return close(found, wanted, absolute, params)


def _class(value):
    return "finite" if np.isfinite(value) else str(value)


def _is_at_the_edge(name, params, x, wanted):
    """Whether tsfresh's own value is another kind of number, or unstable, beside the series."""
    for scale in SCALES:
        (other,) = _wanted(name, [params], x * scale)
        if _class(other) != _class(wanted):
            return True
        if scale > 0.9 and not _is_close(other, wanted, x, params):
            return True
    return False


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_equals_tsfresh(name, found):
    places = [k for k, feature in enumerate(FEATURES) if feature[0] == name]
    params = [FEATURES[k][1] for k in places]
    wrong, compared = [], 0
    for row, (family, x) in zip(found, SERIES, strict=True):
        if name in BY_BLAS and np.abs(x).max() > 1e300:
            continue
        wanted = _wanted(name, params, x)
        for one, a, b in zip(params, row[places], wanted, strict=True):
            compared += 1
            if not _is_close(a, b, x, one) and not _is_at_the_edge(name, one, x, b):
                wrong.append(f"{family} at {len(x)}, {one}: {a!r}, not {b!r}")
    assert not wrong, "\n".join(wrong[:20])
    assert compared > len(EXTREMES)


def test_every_calculator_is_there():
    assert {name for name, _ in FEATURES} == {row.name for row in ROWS}
