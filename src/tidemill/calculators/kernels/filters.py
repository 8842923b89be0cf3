"""Filters of the wavelet calculators, made once per set of parameters by numpy alone.

A row of the registry names these functions as its ``tables``: they get the arrays of its
parameters and return more arrays for its kernel.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.model.aliases import Floats, Index

__all__ = ["cwt_coefficients", "number_cwt_peaks"]


def number_cwt_peaks(n: Index) -> tuple[Floats]:
    """Ricker wavelets of the widths 1 to the largest n, one after the other.

    Of width w first the 10 w places -5 w + 1/2 to 5 w - 1/2, then the 10 w - 1 places
    -5 w + 1 to 5 w - 1 and a zero. The wavelet of any fewer points is the middle of one of them.
    """
    return (np.concatenate([_both_rickers(width) for width in range(1, int(max(n)) + 1)]),)


def _both_rickers(width: int) -> Floats:
    half = np.arange(10 * width) - (5 * width - 0.5)
    whole = np.arange(10 * width - 1) - (5.0 * width - 1)
    return np.concatenate([_ricker(half, width), _ricker(whole, width), [0.0]])


def _ricker(place: npt.NDArray[Any], width: int) -> Floats:
    # Each operation as tsfresh does it: a peak is a strict inequality of sums of these.
    height = 2 / (np.sqrt(3 * np.int64(width)) * (np.pi**0.25))
    square = place**2
    falling: Floats = np.exp(-square / (2 * np.int64(width) ** 2))
    ricker: Floats = height * (1 - square / np.int64(width) ** 2) * falling
    return ricker


def cwt_coefficients(coeff: Index, w: Floats, widths: Floats) -> tuple[Floats, Index, Index]:
    """What the coefficients need: integrated wavelets, and elements of convolutions with them.

    A coefficient is the difference of two neighbours in the convolution of the series with an
    integrated wavelet. Returns the wavelets; of each element that is needed where its wavelet
    starts, how many points that has, and the element's place; the two elements of each coefficient.
    """
    del widths  # they say nothing but that w is one of them
    wavelets = {width: _integrated(width) for width in w.tolist()}
    sizes = [len(wavelet) for wavelet in wavelets.values()]
    starts = dict(zip(wavelets, np.cumsum([0, *sizes]).tolist(), strict=False))
    elements: dict[tuple[float, int], int] = {}
    pairs = []
    for width, c in zip(w.tolist(), coeff.tolist(), strict=True):
        place = (len(wavelets[width]) - 2) // 2 + c
        pairs += [elements.setdefault((width, p), len(elements)) for p in (place, place + 1)]
    table = [(starts[width], len(wavelets[width]), place) for width, place in elements]
    return (
        np.concatenate([*wavelets.values()]),
        np.array(table, dtype=np.int64).reshape(-1),
        np.array(pairs, dtype=np.int64),
    )


@cache
def _mexican_hat() -> tuple[Floats, Floats]:
    """The integral of the Mexican hat, and its places: 4,096 from -8 to 8."""
    places = np.linspace(-8, 8, 4096)
    # math.exp, because PyWavelets calls the C library's, too.
    falling = np.array([math.exp(-place * place / 2) for place in places.tolist()])
    norm = math.sqrt(3) * math.sqrt(math.sqrt(math.pi))
    psi = (1 - places * places) * falling * 2 / norm
    return np.cumsum(psi) * (places[1] - places[0]), places


def _integrated(width: float) -> Floats:
    """The integral, stretched to the width: at each whole distance the point before it."""
    integral, places = _mexican_hat()
    span, step = places[-1] - places[0], places[1] - places[0]
    chosen = (np.arange(width * span + 1) / (width * step)).astype(np.int64)
    stretched: Floats = integral[chosen[chosen < len(integral)]]
    return stretched
