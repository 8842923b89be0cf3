"""Ids as keys: NumPy values in the ids' order, compared and counted without decoding strings.

A key is the number itself, the integer of a date or timestamp, or the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.model.aliases import Floats, IdKey, Index
from tidemill.sources.rows.casts import ArrowColumn, normal_ids, ordinals, sound_ids

__all__ = ["KeyArray", "Keys", "merge_counts", "plain", "read_keys", "sums"]

#: Sorted or unsorted keys of one type: int64, float64 or uint8 numbers, or str objects.
KeyArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The keys of a column of ids: ``values[codes]``, or ``values`` where codes is None."""

    values: KeyArray
    codes: npt.NDArray[np.integer[Any]] | None

    def within(self, lower: IdKey, upper: IdKey) -> npt.NDArray[np.bool_] | None:
        """Which rows have ``lower <= id < upper``; None: all of them."""
        bounded = self.codes is None and _all_within(self.values, lower, upper)
        if bounded or (lower is None and upper is None):
            return None
        inside = np.ones(len(self.values), np.bool_)
        if lower is not None:
            inside &= np.asarray(self.values >= _operand(lower), np.bool_)
        if upper is not None:
            inside &= np.asarray(self.values < _operand(upper), np.bool_)
        if inside.all():
            return None
        return inside if self.codes is None else inside[self.codes]

    def last(self) -> tuple[Any, npt.NDArray[np.bool_]]:
        """The highest key, and which rows have it. There must be a row."""
        if self.codes is None:
            key = self.values.max()
            return key, self.values == key
        present = np.flatnonzero(np.bincount(self.codes, minlength=len(self.values)))
        key = max(self.values[present])
        return key, (self.values == _operand(key))[self.codes]

    def bounds(self) -> tuple[Any, Any]:
        """The lowest and the highest key. There must be a row."""
        if self.codes is None:
            return self.values.min(), self.values.max()
        present = self.values[np.unique(self.codes)]
        return min(present), max(present)

    def counts(self) -> tuple[KeyArray, Index]:
        """Distinct keys, ascending, and the rows of each."""
        if self.codes is not None:
            rows = np.bincount(self.codes, minlength=len(self.values))
            present = rows > 0
            return merge_counts([self.values[present]], [rows[present]])
        if not np.any(self.values[1:] < self.values[:-1]):
            return _count_runs(self.values)
        counted = pc.value_counts(pa.array(self.values))
        return merge_counts(
            [counted.field("values").to_numpy()], [counted.field("counts").to_numpy()]
        )


def _operand(key: Any) -> Any:
    """A key to compare arrays with: of bare text, NumPy would drop the NULs at the end."""
    return np.array(key, dtype=object) if isinstance(key, str) else key


def _all_within(values: KeyArray, lower: IdKey, upper: IdKey) -> bool:
    """Whether all numbers are within bounds; two passes at 0.3 ns a row, where masks cost 3."""
    if values.dtype == object or not len(values):
        return False
    return (lower is None or values.min() >= lower) and (upper is None or values.max() < upper)


def _count_runs(values: KeyArray) -> tuple[KeyArray, Index]:
    starts = np.flatnonzero(np.concatenate([[len(values) > 0], values[1:] != values[:-1]]))
    return values[starts], np.diff(np.append(starts, len(values)))


def merge_counts(keys: list[KeyArray], counts: list[Index]) -> tuple[KeyArray, Index]:
    """Distinct keys of several counts, ascending, and the sum of each."""
    every = np.concatenate(keys)
    unique, places = np.unique(every, return_inverse=True)
    return unique, sums(places, np.concatenate(counts)).astype(np.int64)


def sums(places: npt.NDArray[np.integer[Any]], weights: npt.NDArray[Any]) -> Floats:
    """The sum of the weights at each place, float64[places.max() + 1].

    Examples
    --------
    >>> sums(np.array([0, 1, 0]), np.array([1, 2, 3]))
    array([4., 2.])
    """
    summed: Floats = np.bincount(places, weights).astype(np.float64)
    return summed


def read_keys(ids: ArrowColumn, column: str) -> Keys:
    """The keys of a column of ids; strings are compared once per distinct value.

    Raises
    ------
    DataError
        If ids are null, NaN or infinite, or beyond what the normal type can hold.

    Examples
    --------
    >>> keys = read_keys(pa.array(["b", "a", "b"]), "id")
    >>> keys.within("b", None)
    array([ True, False,  True])
    >>> keys.counts()
    (array(['a', 'b'], dtype=object), array([1, 2]))
    """
    sound = sound_ids(ids, column)
    if not pt.is_dictionary(sound.type):
        numbers = ordinals(normal_ids(sound, column))
        if numbers is not None:
            return Keys(numbers, None)
        sound = sound.dictionary_encode()
    codes = sound.indices.to_numpy(zero_copy_only=False)
    return Keys(_key_values(normal_ids(sound.dictionary, column)), codes)


def _key_values(ids: pa.Array) -> KeyArray:
    numbers = ordinals(ids)
    return ids.to_numpy(zero_copy_only=False) if numbers is None else numbers


def plain(key: Any) -> int | float | str:
    """A key as JSON holds it.

    Examples
    --------
    >>> plain(np.int64(3))
    3
    """
    value: int | float | str = key.item() if isinstance(key, np.generic) else key
    return value
