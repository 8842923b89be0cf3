"""The power spectral density after Welch, as scipy.signal.welch estimates it for tsfresh.

Segments of 256 values (or the whole series, if that is shorter) overlap by half. Each is freed
of its mean, multiplied by a Hann window and transformed; the powers are averaged. numpy
transforms the segments of all series of a block at once, with the bits of single transforms.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.jit.workspace import Ragged, transform
from tidemill.calculators.numerics.sums import pairwise_sum
from tidemill.model.aliases import Floats, Index
from tidemill.model.series import SeriesBlock

__all__ = ["welch"]

_LONGEST = 256


def welch(block: SeriesBlock) -> Ragged:
    """The density of every series at the frequencies 0, 1/m, 2/m, ... for segments of m values."""
    lengths = np.minimum(block.lengths, _LONGEST)
    steps = lengths - lengths // 2
    counts = (block.lengths - lengths // 2) // np.maximum(steps, 1)
    windows = _windows(lengths)
    series = np.repeat(np.arange(len(counts)), counts)  # of every segment
    first = np.cumsum(counts) - counts
    starts = block.starts[series] + steps[series] * (np.arange(len(series)) - first[series])
    spectra, edges, _ = transform(_segments(block.values, starts, lengths[series], windows, series))
    edges = np.append(edges, len(spectra))
    out = np.empty((len(lengths), int(lengths.max(initial=0)) // 2 + 1))
    loop = mean_power.loop(("complex128", "float64"), ())
    spans = spectra, edges[first], edges[first + counts]
    loop(lengths, 1, *spans, *windows, (), out, 0, out.shape[1])
    starts = np.arange(len(lengths)) * out.shape[1]
    return out.reshape(-1), starts, starts + lengths // 2 + 1


def _segments(
    values: Floats, starts: Index, lengths: Index, windows: Ragged, series: Index
) -> SeriesBlock:
    """The segments, each in the window of its series, as series of their own."""
    out = np.empty((len(starts), int(lengths.max(initial=0))))
    inputs = np.ascontiguousarray(values), starts, starts + lengths
    table, window_starts, window_stops = windows
    loop = windowed.loop(("float64", "float64"), ())
    window = table, window_starts[series], window_stops[series]
    loop(lengths, 1, *inputs, *window, (), out, 0, out.shape[1])
    edges = np.arange(len(starts)) * out.shape[1]
    return SeriesBlock("", out.reshape(-1), edges, edges + lengths)


def _windows(lengths: Index) -> Ragged:
    """The window of every series."""
    distinct, place = np.unique(lengths, return_inverse=True)
    tables = [_window(length) for length in distinct.tolist()]
    stops = np.cumsum(distinct)
    return np.concatenate([*tables, np.empty(0)]), (stops - distinct)[place], stops[place]


@cache
def _window(length: int) -> Floats:
    """A periodic Hann window, scaled so that the squares of its values sum to one."""
    if length < 2:
        return np.ones(length)
    angles = np.linspace(-math.pi, math.pi, length + 1)[:-1]
    window = 0.5 + 0.5 * np.cos(angles)
    scaled: Floats = window * (1 / np.sqrt(sum((window**2).tolist())))
    return scaled


@kernel
def windowed(x, window, params, out):
    mean = pairwise_sum(x) / len(x)
    for i in range(len(x)):
        out[i] = (x[i] - mean) * window[i]


@helper
def _power(value):
    return value.real * value.real + value.imag * value.imag


@helper
def _sum_powers(f, width, out):
    """The sum over segments, each of ``width`` values of f, in numpy's order."""
    n = len(f) // width
    if n < 8:
        out[:width] = 0.0
        for first in range(0, len(f), width):
            segment = f[first : first + width]
            for k in range(width):
                out[k] += _power(segment[k])
        return
    powers = np.empty(n)
    for k in range(width):
        for i in range(n):
            powers[i] = _power(f[i * width + k])
        out[k] = pairwise_sum(powers)


@kernel
def mean_power(f, window, params, out):
    width = len(window) // 2 + 1
    _sum_powers(f, width, out)
    n = len(f) // width
    for k in range(width):
        # The negative frequencies, which a real series' spectrum leaves out, have as much power.
        out[k] = (1 if k == 0 or 2 * k == len(window) else 2) * out[k] / n
