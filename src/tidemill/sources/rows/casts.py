"""Cast input columns: values to float64, ids to types that a sink can hold, kinds to names.

Arrow arrays in, NumPy or Arrow arrays out; every error names the column, the type or
value found, and the remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import ArgumentError, DataError, SourceError, shorten
from tidemill.model import feature_names as columns
from tidemill.model.aliases import Floats
from tidemill.model.counts import counted
from tidemill.model.id_types import id_type, integer_type

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ArrowColumn",
    "as_float64",
    "check_ids",
    "check_kinds",
    "check_nulls",
    "contiguous",
    "normal_ids",
    "ordinals",
    "sound_ids",
]

#: A column of a table, whole or in chunks.
ArrowColumn: TypeAlias = pa.Array | pa.ChunkedArray

#: float64 holds every integer up to this magnitude.
LARGEST_INTEGER = 2**53
#: Bytes that the 32-bit offsets of a string array can address.
STRING_BYTES = 2**31 - 1
#: Days since 1970 of the first of January of the years 1 and 10000.
FIRST_DAY, END_DAY = -719_162, 2_932_897
DAY_MICROSECONDS = 86_400_000_000


def contiguous(array: ArrowColumn) -> pa.Array:
    """One Arrow array of ``array``, without a copy if it is one chunk already.

    Strings become ``large_string`` where 32-bit offsets do not suffice, and where they are
    views, which Arrow can neither take nor sort.

    Examples
    --------
    >>> contiguous(pa.chunked_array([[1, 2], [3]])).to_pylist()
    [1, 2, 3]
    """
    if pt.is_string_view(array.type):
        array = array.cast(pa.large_string())
    if isinstance(array, pa.Array):
        return array
    if array.num_chunks == 1:
        return array.chunk(0)
    if pt.is_string(array.type) and array.nbytes > STRING_BYTES:
        array = array.cast(pa.large_string())
    return pa.concat_arrays(array.unify_dictionaries().chunks or [pa.array([], array.type)])


def as_float64(array: ArrowColumn, column: str) -> Floats:
    """Cast a column of values to float64[n]; nulls become NaN.

    Float64 without nulls is not copied; the result may then be read-only.

    Parameters
    ----------
    array : booleans, integers, floats, decimals, or a dictionary of them
    column : the column's name, for messages

    Raises
    ------
    SourceError
        If the type is not numeric.
    DataError
        If an integer lies beyond 2**53 in magnitude, where float64 has gaps.

    Examples
    --------
    >>> as_float64(pa.array([1, None, 3]), "x")
    array([ 1., nan,  3.])
    """
    whole = contiguous(array)
    if pt.is_dictionary(whole.type) and _is_numeric(whole.type.value_type):
        whole = whole.dictionary_decode()
    if not _is_numeric(whole.type):
        raise SourceError(
            f"column {column!r} has type {whole.type}, but values must be numbers: cast it to a "
            "number, name it as column_sort, column_id or column_kind, or leave it out by naming "
            "the column to use in column_value"
        )
    if pt.is_integer(whole.type):
        _check_magnitude(whole, column)
    elif pt.is_decimal(whole.type):
        # Through text: Arrow's own cast is off by one bit in a fifth of all values.
        whole = whole.cast(pa.string())
    exact = whole.cast(pa.float64(), safe=False)
    return np.asarray(exact.to_numpy(zero_copy_only=False))


def _is_numeric(type_: pa.DataType) -> bool:
    tests = (pt.is_boolean, pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_null)
    return any(test(type_) for test in tests)


def _check_magnitude(array: pa.Array, column: str) -> None:
    if array.type not in (pa.int64(), pa.uint64()) or len(array) == array.null_count:
        return
    extremes = pc.min_max(array).as_py()
    worst = max(extremes.values(), key=abs)
    if abs(worst) > LARGEST_INTEGER:
        raise DataError(
            f"column {column!r} holds the integer {worst}; float64 is exact up to 2**53 = "
            f"{LARGEST_INTEGER} only: subtract an offset, or cast the column to float64 yourself "
            "if rounded values will do"
        )


def check_nulls(array: pa.Array, column: str, remedy: str) -> None:
    """Refuse nulls and NaN.

    Raises
    ------
    DataError
        With their count and the first ten rows that hold one.

    Examples
    --------
    >>> check_nulls(pa.array([1, None]), "id", "drop these rows")
    Traceback (most recent call last):
    tidemill.errors.DataError: column 'id' is null in 1 of 2 rows (at rows 1): drop these rows
    """
    decoded = array.dictionary_decode() if _has_null_entry(array) else array
    floating = pt.is_floating(decoded.type)
    if not decoded.null_count and not floating:
        return
    bad = np.flatnonzero(decoded.is_null(nan_is_null=floating).to_numpy(zero_copy_only=False))
    if len(bad):
        raise DataError(
            f"column {column!r} is null in {len(bad):,} of {counted(len(array), 'row')} "
            f"(at rows {shorten(bad)}): {remedy}"
        )


def _has_null_entry(array: pa.Array) -> bool:
    return pt.is_dictionary(array.type) and bool(array.dictionary.null_count)


def check_ids(array: ArrowColumn, column: str) -> pa.Array:
    """Refuse ids that are null or of an unsupported type; normalise the others.

    Raises
    ------
    SourceError
        If ids of this type are not supported.
    DataError
        If ids are null, NaN or infinite, or beyond what the normal type can hold.

    Examples
    --------
    >>> check_ids(pa.array([2, 1], pa.uint8()), "id").type
    DataType(int64)
    """
    return normal_ids(sound_ids(array, column), column)


def sound_ids(array: ArrowColumn, column: str) -> pa.Array:
    """Check the ids and give them as one array, not yet normalised.

    Raises
    ------
    SourceError
        If ids of this type are not supported.
    DataError
        If ids are null, NaN or infinite.

    Examples
    --------
    >>> sound_ids(pa.chunked_array([[2], [1]], pa.uint8()), "id").type
    DataType(uint8)
    """
    whole = contiguous(array)
    try:
        normal = id_type(whole.type)
    except SourceError as error:
        raise SourceError(f"column {column!r}: {error}") from None
    check_nulls(whole, column, "every row needs an id; drop these rows or fill the id in")
    if _has_null_entry(whole) or normal == pa.float64():
        whole = whole.dictionary_decode() if pt.is_dictionary(whole.type) else whole
    return _sound_floats(whole, column) if normal == pa.float64() else whole


def _sound_floats(array: pa.Array, column: str) -> pa.Array:
    """Refuse infinite ids; adding 0.0 makes -0.0 and 0.0 one id."""
    ids = np.asarray(array.cast(pa.float64())) + 0.0
    infinite = int(np.isinf(ids).sum())
    if infinite:
        raise DataError(f"column {column!r} holds {infinite} infinite ids: drop these rows")
    return pa.array(ids)


def normal_ids(ids: pa.Array, column: str) -> pa.Array:
    """Cast sound ids to :func:`id_type` of their type, without loss.

    Raises
    ------
    DataError
        If an id cannot be held by the normal type.

    Examples
    --------
    >>> normal_ids(pa.array([2**63], pa.uint64()), "id")
    Traceback (most recent call last):
    tidemill.errors.DataError: column 'id': ids of type uint64 are written as int64, but \
Integer value 9223372036854775808 not in range: 0 to 9223372036854775807; cast them to strings
    """
    normal = id_type(ids.type)
    if pt.is_dictionary(ids.type):
        ids = ids.dictionary_decode()
    try:
        cast = ids.cast(normal)
    except pa.ArrowInvalid as error:
        remedy = "round them" if pt.is_timestamp(normal) else "cast them to strings"
        raise DataError(
            f"column {column!r}: ids of type {ids.type} are written as {normal}, but {error}; "
            f"{remedy}"
        ) from None
    _check_years(cast, column)
    return cast


def _check_years(ids: pa.Array, column: str) -> None:
    """Refuse dates that neither messages nor readers of a sink can show."""
    if not pt.is_temporal(ids.type) or not len(ids):
        return
    per_day = 1 if pt.is_date32(ids.type) else DAY_MICROSECONDS
    numbers = ids.view(integer_type(ids.type)).to_numpy(zero_copy_only=False)
    if numbers.min() < FIRST_DAY * per_day or numbers.max() >= END_DAY * per_day:
        raise DataError(
            f"column {column!r} holds ids of type {ids.type} beyond the years 1 to 9999: fix or "
            "drop these rows, or cast them to strings"
        )


def ordinals(array: pa.Array) -> npt.NDArray[Any] | None:
    """View the array as NumPy numbers of the same order; None if it has none.

    Dates, times and timestamps are their integers, booleans 0 and 1.

    Examples
    --------
    >>> ordinals(pa.array([True, False]))
    array([1, 0], dtype=uint8)
    """
    if pt.is_boolean(array.type):
        array = array.cast(pa.uint8())
    elif pt.is_temporal(array.type) and not pt.is_interval(array.type):
        array = array.view(integer_type(array.type))
    elif not (pt.is_integer(array.type) or pt.is_floating(array.type)):
        return None
    return np.asarray(array.to_numpy(zero_copy_only=False))


def check_kinds(kinds: Iterable[object], where: str) -> tuple[str, ...]:
    """Turn kinds into names, if these can stand in a feature's name.

    Raises
    ------
    SourceError
        If a name is empty, holds ``__`` or ends with ``_``, or if two are the same text.

    Examples
    --------
    >>> check_kinds([1, "speed"], "column_kind='sensor'")
    ('1', 'speed')
    """
    try:
        return columns.check_kinds(kinds)
    except ArgumentError as error:
        raise SourceError(f"{where}: {error}") from None
