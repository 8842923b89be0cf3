"""The array door: NumPy arrays, and lists of them, to a batch without a detour through frames.

=======  =========================================================  ==================
form     what is given                                              kinds
=======  =========================================================  ==================
flat     array ``(series, values)``                                 one
cube     array ``(cases, channels, timepoints)``, as aeon has them  one per channel
ragged   list of arrays ``(values,)``                               one
ragged   list of arrays ``(channels, timepoints)``                  one per channel
=======  =========================================================  ==================

Float64 in C order is not copied where it is one array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.errors import ArgumentError, DataError, SourceError, shorten
from tidemill.model.aliases import Floats, Index
from tidemill.model.counts import counted
from tidemill.model.feature_names import check_kinds
from tidemill.model.policies import Policies
from tidemill.model.series import Batch, Quarantined, SeriesBlock, kinds_present
from tidemill.sources.rows.casts import LARGEST_INTEGER
from tidemill.sources.rows.ordering import pieces

__all__ = ["as_array", "as_floats", "read_arrays"]

#: Series in a message.
SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Cases:
    """The series of all cases, as slices of one array."""

    values: Floats  # float64[n]
    starts: Index  # int64[k, c], of channel j of case i
    stops: Index  # int64[k, c]
    times: Index | None = None  # int64[n]


def read_arrays(
    given: Any,
    *,
    kinds: Iterable[object] | None = None,
    times: Any = None,
    policies: Policies = Policies(),  # noqa: B008 (frozen)
    needs_times: bool = False,
) -> Batch:
    """Read an array of two or three dimensions, or a list of arrays of one or two.

    Parameters
    ----------
    given : the array or list
    kinds : a name per channel; by default "x" where there are no channels, else "channel_0"...
    times : datetime64, or integers that count nanoseconds: ``(timepoints,)`` for all cases,
        ``(cases, timepoints)``, or a list of 1-D arrays; looked at only if ``needs_times``
    policies : what happens to values that are not finite
    needs_times : whether a calculator needs times

    Returns
    -------
    Batch
        Ids are the cases' places in ``given``.

    Raises
    ------
    ArgumentError
        If kinds or times do not fit the values.
    SourceError
        If these are no such arrays, are empty, or hold no numbers.
    DataError
        If integers are too large for float64, or values break a policy.

    Examples
    --------
    >>> batch = read_arrays(np.arange(12).reshape(2, 2, 3), kinds=["a", "b"])
    >>> block = batch.blocks["b"]
    >>> [block.values[i:j].tolist() for i, j in zip(block.starts, block.stops)]
    [[3.0, 4.0, 5.0], [9.0, 10.0, 11.0]]
    """
    several, cases = _cases(given)
    n_cases, n_channels = cases.starts.shape
    names = _names(kinds, n_channels, several=several)
    if needs_times:
        cases = replace(cases, times=_clock(times, cases))
    if all(np.isfinite(cases.values[piece]).all() for piece in pieces(len(cases.values))):
        return _batch(cases, names, np.arange(n_cases), ())
    return _with_policy(cases, names, policies)


# Shapes


def _cases(given: Any) -> tuple[bool, _Cases]:
    """The cases, and whether they have a dimension of channels."""
    if hasattr(given, "columns"):
        raise SourceError(
            f"arrays are a {type(given).__name__}: give a frame to tidemill.extract_features, or "
            "arrays as .to_numpy() makes them"
        )
    if not isinstance(given, (list, tuple)):
        given = as_array(given, "arrays")
        if given.dtype != object or given.ndim != 1:
            return _regular(given)
    plain = all(type(one) is np.ndarray for one in given)
    return _ragged(given if plain else [as_array(x, f"arrays[{i}]") for i, x in enumerate(given)])


def as_array(given: Any, name: str) -> npt.NDArray[Any]:
    """An array of what is one already, or can be read as one.

    Raises
    ------
    SourceError
        If it cannot, or is masked.
    """
    if isinstance(given, np.ma.MaskedArray):
        raise SourceError(
            f"{name} is a masked array: give .filled(numpy.nan), and choose with on_nan what "
            "happens to the gaps"
        )
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise SourceError(f"{name} cannot be read as an array ({error})") from None


def _regular(array: npt.NDArray[Any]) -> tuple[bool, _Cases]:
    if array.ndim not in {2, 3}:
        raise SourceError(
            f"arrays have the shape {array.shape}, but must be (series, values), (cases, channels, "
            "timepoints) or a list of 1-D arrays; a single series x is x[numpy.newaxis]"
        )
    if not array.size:
        raise SourceError(f"arrays are empty (shape {array.shape}): give at least one value")
    length = array.shape[-1]
    n_cases, n_channels = array.shape[0], array.shape[1] if array.ndim == 3 else 1
    starts = (np.arange(n_cases * n_channels) * length).reshape(n_cases, n_channels)
    values = as_floats(array, "arrays").reshape(-1)
    return array.ndim == 3, _Cases(values, starts, starts + length)


def _ragged(arrays: Sequence[npt.NDArray[Any]]) -> tuple[bool, _Cases]:
    """Join arrays of different lengths; each may have channels, if all have the same number."""
    shapes = {array.shape[:-1] for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim not in {1, 2}:
        found = shorten(sorted({str(array.shape) for array in arrays}), 3) or "no array"
        raise SourceError(
            f"a list must hold 1-D arrays, or 2-D arrays (channels, timepoints) with equally many "
            f"channels, but these have the shapes {found}"
        )
    (channels,) = shapes
    n_channels = channels[0] if channels else 1
    lengths = np.array([array.shape[-1] for array in arrays], np.int64)
    if not lengths.any() or not n_channels:
        raise SourceError(f"all {len(arrays)} arrays are empty: give at least one value")
    if {array.dtype for array in arrays} != {np.dtype(np.float64)}:  # one check for all: 2 us each
        arrays = [as_floats(array, f"arrays[{i}]") for i, array in enumerate(arrays)]
    values = [array.reshape(-1) for array in arrays] if channels else arrays
    ends = np.cumsum(lengths * n_channels)
    starts = (ends - lengths * n_channels)[:, None] + lengths[:, None] * np.arange(n_channels)
    return bool(channels), _Cases(np.concatenate(values), starts, starts + lengths[:, None])


def as_floats(array: npt.NDArray[Any], name: str) -> Floats:
    """Cast to float64 in C order; float64 in C order is not copied.

    Raises
    ------
    SourceError
        If the values are no numbers.
    DataError
        If integers are too large for float64.
    """
    if array.dtype.kind not in "biuf":
        raise SourceError(
            f"{name} {'have' if name == 'arrays' else 'has'} the dtype {array.dtype}, but values "
            "must be numbers: cast them, as in numpy.asarray(values, float)"
        )
    if array.dtype.kind in "iu" and array.itemsize == 8 and array.size:
        worst = max(int(array.max()), -int(array.min()))
        if worst > LARGEST_INTEGER:
            raise DataError(
                f"{name} hold an integer of the magnitude {worst}; float64 is exact up to 2**53 = "
                f"{LARGEST_INTEGER} only: subtract an offset, or cast to float64 yourself if "
                "rounded values will do"
            )
    return np.require(array, np.float64, ["C", "ALIGNED"])


def _names(kinds: Iterable[object] | None, n_channels: int, *, several: bool) -> tuple[str, ...]:
    if kinds is None:
        return tuple(f"channel_{j}" for j in range(n_channels)) if several else ("x",)
    if isinstance(kinds, str):
        raise ArgumentError(
            f"kinds={kinds!r} is one string: give a list of names, as in [{kinds!r}]"
        )
    names = check_kinds(kinds)
    if len(names) != n_channels:
        raise ArgumentError(
            f"kinds={shorten(map(repr, names))} are {len(names)} names, but the arrays have "
            f"{n_channels} channel{'s' if n_channels > 1 else ''}: give one name for each"
        )
    return names


# Times


def _clock(times: Any, cases: _Cases) -> Index:
    """The time of each value, int64[n]."""
    if times is None:
        raise ArgumentError(
            "a calculator needs times: give times=..., or leave such calculators "
            "(linear_trend_timewise) out of the settings"
        )
    n_cases, n_channels = cases.starts.shape
    lengths = cases.stops[:, 0] - cases.starts[:, 0]
    rows = _rows_of_times(times, n_cases)
    wrong = [i for i, (row, n) in enumerate(zip(rows, lengths, strict=False)) if row.shape != (n,)]
    if len(rows) != n_cases or wrong:
        found = counted(len(rows), "row") if not wrong else f"the shape {rows[wrong[0]].shape}"
        place = "" if not wrong else f" for case {wrong[0]} of length {lengths[wrong[0]]}"
        raise ArgumentError(
            f"times have {found}{place}, but there are {n_cases:,} cases: give one time per value, "
            "as (timepoints,), (cases, timepoints) or a list of 1-D arrays"
        )
    return np.concatenate([np.tile(row, n_channels) for row in rows])


def _rows_of_times(times: Any, n_cases: int) -> Sequence[Index]:
    """One array of nanoseconds per case; the same one again where all share it."""
    if isinstance(times, (list, tuple)) and len(times) and np.ndim(times[0]):
        return [_nanoseconds(as_array(row, "times")) for row in times]
    array = _nanoseconds(as_array(times, "times"))
    return [array] * n_cases if array.ndim == 1 else list(array)


def _nanoseconds(times: npt.NDArray[Any]) -> Index:
    if times.dtype.kind == "i":
        return times.astype(np.int64, copy=False)
    if times.dtype.kind != "M":
        raise ArgumentError(
            f"times have the dtype {times.dtype}, but must be datetime64 or integers that count "
            "nanoseconds: convert them, as in pandas.to_datetime(times, utc=True).tz_localize(None)"
        )
    nanoseconds = times.astype("datetime64[ns]")
    if (np.isnat(times) | (nanoseconds.astype(times.dtype) != times)).any():
        raise DataError("times hold NaT, or lie beyond the years 1678 to 2261: fix or drop these")
    return nanoseconds.view(np.int64)


# Values that are not finite


def _with_policy(cases: _Cases, names: tuple[str, ...], policies: Policies) -> Batch:
    finite = np.isfinite(cases.values)
    before = np.append(0, np.cumsum(~finite))
    faulty = before[cases.stops] - before[cases.starts]
    if policies.on_nan == "raise":
        _refuse(names, faulty)
    if policies.on_nan == "omit":
        left = np.append(0, np.cumsum(finite))
        times = None if cases.times is None else cases.times[finite]
        values, starts, stops = cases.values[finite], left[cases.starts], left[cases.stops]
        return _batch(_Cases(values, starts, stops, times), names, np.arange(len(starts)), ())
    keep = ~faulty.any(axis=1)
    kept = replace(cases, starts=cases.starts[keep], stops=cases.stops[keep])
    out = tuple(_quarantined(cases, names, faulty, case) for case in np.flatnonzero(~keep).tolist())
    return _batch(kept, names, np.flatnonzero(keep), out)


def _refuse(names: tuple[str, ...], faulty: Index) -> None:
    bad = np.argwhere(faulty)
    shown = shorten(f"(case={i}, kind={names[j]!r})" for i, j in bad[:SHOWN].tolist())
    more = "" if len(bad) <= SHOWN else f", ... ({len(bad)} in all)"
    raise DataError(
        f"arrays hold {counted(int(faulty.sum()), 'NaN or infinite value')} in {len(bad):,} "
        f"series: {shown}{more}; fill or drop them, or set on_nan to 'omit' (drop the values) or "
        "'quarantine' (leave these cases out)"
    )


def _quarantined(cases: _Cases, names: tuple[str, ...], faulty: Index, case: int) -> Quarantined:
    j = int(np.flatnonzero(faulty[case])[0])
    length = cases.stops[case, j] - cases.starts[case, j]
    reason = f"{faulty[case, j]} of {length} values are NaN or infinite"
    return Quarantined(case, names[j], reason)


def _batch(
    cases: _Cases, names: tuple[str, ...], rows: Index, quarantined: tuple[Quarantined, ...]
) -> Batch:
    blocks = {
        name: SeriesBlock(
            name,
            cases.values,
            np.ascontiguousarray(cases.starts[:, j]),
            np.ascontiguousarray(cases.stops[:, j]),
            cases.times,
        )
        for j, name in enumerate(names)
    }
    # By its buffer: pa.array would import pandas.
    ids = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])
    return Batch(ids, blocks, kinds_present(blocks), quarantined, len(cases.values))
