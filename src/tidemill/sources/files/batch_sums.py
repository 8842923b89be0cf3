"""Sums by which a spilled record batch is recognised when it is read back.

They are for disks and networks that flip bits, not against people: a batch's words are added up,
which takes a tenth of the time that a checksum like CRC-32 does. Any one flipped bit changes the
sum.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

__all__ = ["batch_sum"]

_MODULUS = 2**64
#: Keeps sums of places apart from those of bytes; odd, so that none is lost by the modulus.
_ODD = 2**40 + 1


def batch_sum(batch: pa.RecordBatch) -> int:
    """The sum of a batch, whether it is a slice of a larger one or not.

    Returns
    -------
    int
        From 0 to 2**64 - 1.

    Examples
    --------
    >>> batch = pa.record_batch({"id": ["a", "b", "b"], "x": [0.5, 1.5, None]})
    >>> alone = pa.record_batch({"id": ["b", "b"], "x": [1.5, None]})
    >>> batch_sum(batch.slice(1)) == batch_sum(alone) != batch_sum(batch)
    True
    """
    total = 0
    for column in batch.columns:
        total = (31 * total + _column_sum(column)) % _MODULUS
    return total


def _column_sum(column: pa.Array) -> int:
    total, word = len(column) + _null_places(column), _word(column.type)
    if word:
        return total + _word_sum(column, word)
    if pt.is_string(column.type) or pt.is_large_string(column.type):
        return total + _text_sum(column)
    alone = pa.RecordBatch.from_arrays([column], ["column"])
    return total + zlib.crc32(alone.serialize())


@lru_cache(maxsize=64)
def _word(kind: pa.DataType) -> np.dtype[Any] | None:
    """What values of a type are added up as; None if they are no whole words."""
    is_word = pt.is_primitive(kind) and kind.bit_width in (8, 16, 32, 64)
    return np.dtype(f"u{kind.bit_width // 8}") if is_word else None


def _null_places(column: pa.Array) -> int:
    count = int(column.null_count)
    return count and count + int(pc.indices_nonzero(column.is_null()).to_numpy().sum())


def _word_sum(column: pa.Array, word: np.dtype[Any]) -> int:
    data = column.buffers()[1]
    if data is None or not len(column):
        return 0
    words = np.frombuffer(data, word, len(column), column.offset * word.itemsize)
    return int(np.add.reduce(words, dtype=np.uint64))


def _text_sum(column: pa.Array) -> int:
    _, ends, data = column.buffers()
    if ends is None or not len(column):
        return 0
    kind = np.int64 if pt.is_large_string(column.type) else np.int32
    bounds = np.frombuffer(ends, kind)[column.offset : column.offset + len(column) + 1]
    first, last = int(bounds[0]), int(bounds[-1])
    places = _ODD * int((bounds - bounds[0]).sum(dtype=np.int64))
    if data is None or first == last:
        return places
    return places + int(np.frombuffer(data, np.uint8)[first:last].sum(dtype=np.uint64))
