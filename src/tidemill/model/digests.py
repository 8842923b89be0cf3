"""Digests of content, independent of the order of rows and of how they are cut into parts.

Every cell becomes a 64-bit word, mixed with a seed from its column's name. A row is the sum of its
cells, each times its column's odd key, mixed once more, in two lanes with different keys (128
bits). A set of rows is the sum of its rows modulo 2^64 in each lane, so sums of parts add up. The
final SHA-256 covers the columns, the id's type, the number of rows and both lanes.

The mixing steps are those of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number
generators, OOPSLA 2014). They guard against accidents, not against adversaries.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["HashingFile", "RowSum", "checksum", "content_digest", "row_sum", "table_sum"]

Words = npt.NDArray[np.uint64]

_MASK = (1 << 64) - 1
_BLOCK = 16_384  # cells per step: three work arrays fit in the cache; 2x faster than 262,144
_NAN = np.uint64(0x7FF8000000000000)  # every NaN counts as this one
_NULL = np.uint64(0x6E756C6C6E756C6C)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_CHUNK = 1 << 20  # bytes per read of a file


@dataclass(frozen=True, slots=True)
class RowSum:
    """The sum over a set of rows; sums of disjoint sets can be added.

    Examples
    --------
    >>> table = pa.table({"id": [1, 2, 3], "x__mean": [0.5, float("nan"), 2.0]})
    >>> table_sum(table.slice(2)) + table_sum(table.slice(0, 2)) == table_sum(table)
    True
    >>> RowSum.from_text(table_sum(table).text) == table_sum(table)
    True
    """

    rows: int = 0
    first: int = 0  # lanes, modulo 2^64
    second: int = 0

    def __add__(self, other: RowSum) -> RowSum:
        return RowSum(
            self.rows + other.rows,
            (self.first + other.first) & _MASK,
            (self.second + other.second) & _MASK,
        )

    @property
    def text(self) -> str:
        """The sum as markers hold it."""
        return f"{self.rows}:{self.first:016x}{self.second:016x}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read back :attr:`text`."""
        rows, _, lanes = text.partition(":")
        return cls(int(rows), int(lanes[:16], 16), int(lanes[16:], 16))


def row_sum(
    ids: pa.Array, values: npt.NDArray[np.float64], columns: Sequence[str], id_name: str = "id"
) -> RowSum:
    """The sum over the rows of a feature matrix.

    Parameters
    ----------
    ids
        One id per row; composite ids as structs.
    values
        float64[k, m], one column per name in ``columns``.
    columns
        Their names; the sum does not depend on their order.
    id_name
        Name of the id column; the fields of structs have their own names.

    Examples
    --------
    >>> ids, values = pa.array(["a", "b"]), np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> one = row_sum(ids, values, ["x", "y"])
    >>> one == row_sum(ids.take([1, 0]), values[::-1, ::-1], ["y", "x"])
    True
    >>> one == row_sum(ids, values[:, ::-1], ["x", "y"])
    False
    """
    if len(ids) == 0:
        return RowSum()
    if pa.types.is_struct(ids.type):
        lanes = _row_lanes(ids.flatten(), [field.name for field in ids.type])
    else:
        lanes = _cell_lanes(_words(ids), id_name)
    if values.shape[1]:
        lanes += _matrix_lanes(values, _keys(tuple(columns)))
    return _finish(lanes)


def table_sum(table: pa.Table | pa.RecordBatch) -> RowSum:
    """The sum over the rows of a table with columns of any type, such as input rows.

    A part's table has the same sum as :func:`row_sum` of its ids and values.
    """
    if table.num_rows == 0:
        return RowSum()
    return _finish(_row_lanes(table.columns, table.schema.names))


def content_digest(sums: Iterable[RowSum], columns: Sequence[str], id_type: str) -> str:
    """The SHA-256 of a matrix: its columns, its id's type, its number of rows and their sum.

    Examples
    --------
    >>> content_digest([RowSum()], ["x__mean"], "int64")[:12]
    '854328444f8c'
    """
    total = sum(sums, RowSum())
    digest = hashlib.sha256()
    for word in (*columns, id_type, total.text):
        digest.update(f"{len(word.encode())}:{word}".encode())
    return digest.hexdigest()


def checksum(source: str | Path | BinaryIO | pa.NativeFile, block_bytes: int = _CHUNK) -> str:
    """The SHA-256 of a file, read block by block.

    Examples
    --------
    >>> checksum(io.BytesIO(b"rows"))[:12]
    'bc51e9e65d79'
    """
    if isinstance(source, (str, Path)):
        with Path(source).open("rb") as file:
            return checksum(file, block_bytes)
    digest = hashlib.sha256()
    while block := source.read(block_bytes):
        digest.update(block)
    return digest.hexdigest()


class HashingFile(io.RawIOBase):
    """Passes writes on and tracks their size and SHA-256, so that nothing has to be read back.

    Examples
    --------
    >>> target = io.BytesIO()
    >>> file = HashingFile(target)
    >>> file.write(b"rows")
    4
    >>> file.size, file.checksum == checksum(io.BytesIO(b"rows"))
    (4, True)
    """

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._digest = hashlib.sha256()
        self.size = 0  # bytes

    @property
    def checksum(self) -> str:
        """SHA-256 of what was written."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """Whether it can be written: always."""
        return True

    def tell(self) -> int:
        """Bytes written."""
        return self.size

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Write all of ``data``."""
        self._target.write(data)
        self._digest.update(data)
        self.size += memoryview(data).nbytes
        return memoryview(data).nbytes


@lru_cache(maxsize=64)
def _keys(names: tuple[str, ...]) -> Words:
    """uint64[3, m]: the seed of every column and its odd keys for the two lanes."""
    raw = b"".join(hashlib.sha256(name.encode()).digest()[:24] for name in names)
    keys = np.frombuffer(raw, dtype="<u8").astype(np.uint64).reshape(-1, 3).T.copy()
    keys[1:] |= np.uint64(1)
    return keys


def _matrix_lanes(values: npt.NDArray[np.float64], keys: Words) -> Words:
    """uint64[2, k]: sums over the cells of each row, block by block."""
    n_rows, n_columns = values.shape
    lanes = np.empty((2, n_rows), dtype=np.uint64)
    step = max(_BLOCK // n_columns, 1)
    for start in range(0, n_rows, step):
        block = np.array(values[start : start + step], dtype=np.float64, order="C")
        cells = block.view(np.uint64)
        np.copyto(cells, _NAN, where=np.isnan(block))
        _scatter(cells, keys[0])
        for lane, key in enumerate(keys[1:]):
            lanes[lane, start : start + step] = (cells * key).sum(axis=1)
    return lanes


def _scatter(cells: Words, seed: Words) -> None:
    """Mix in place, one to one: high bits affect low ones, so that flipped signs cannot cancel.

    Without the shift, a flipped sign would change a product with an odd key by exactly 2^63.
    """
    cells += seed
    cells *= _MIX_1
    cells ^= cells >> np.uint64(29)


def _row_lanes(columns: Sequence[pa.Array | pa.ChunkedArray], names: Sequence[str]) -> Words:
    """uint64[2, k]: sums over the given columns of each row."""
    lanes = np.zeros((2, len(columns[0])), dtype=np.uint64)
    for column, name in zip(columns, names, strict=True):
        lanes += _cell_lanes(_words(column), name)
    return lanes


def _cell_lanes(cells: Words, name: str) -> Words:
    """uint64[2, k]: what one column adds to the sums of its rows."""
    keys = _keys((name,))
    _scatter(cells, keys[0])
    return cells * keys[1:]


def _finish(lanes: Words) -> RowSum:
    mixed = _mix(lanes).sum(axis=1, dtype=np.uint64)
    return RowSum(lanes.shape[1], int(mixed[0]), int(mixed[1]))


def _mix(words: Words) -> Words:
    words = words + _GAMMA
    words = (words ^ (words >> np.uint64(30))) * _MIX_1
    words = (words ^ (words >> np.uint64(27))) * _MIX_2
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed


def _words(column: pa.Array | pa.ChunkedArray) -> Words:
    """uint64[k], a copy: one word per cell, the same for every width of its type."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    valid = None if array.null_count == 0 else array.is_valid().to_numpy(zero_copy_only=False)
    words = _valid_words(array)
    if valid is not None:
        words[~valid] = _NULL
    return words


def _valid_words(array: pa.Array) -> Words:
    kind = array.type
    if pa.types.is_floating(kind):
        floats = array.cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
        words: Words = floats.view(np.uint64)
        words[np.isnan(floats)] = _NAN
        return words
    if pa.types.is_temporal(kind):
        array = array.view(pa.int32() if kind.bit_width == 32 else pa.int64())
        kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        wide = pa.uint64() if pa.types.is_unsigned_integer(kind) else pa.int64()
        return _filled(array.cast(wide), 0).astype(np.uint64)
    return _text_words(array)


def _filled(array: pa.Array, value: int) -> npt.NDArray[np.generic]:
    plain: npt.NDArray[np.generic] = pc.fill_null(array, value).to_numpy(zero_copy_only=False)
    return plain


def _text_words(array: pa.Array) -> Words:
    """Words of strings: the sum of their bytes, each mixed with its position."""
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.string())
    array = pc.fill_null(array.cast(pa.large_binary()), b"")
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)
    offsets = offsets[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    starts = offsets[:-1] - offsets[0]
    lengths = np.diff(offsets)
    positions = np.arange(len(data)) - np.repeat(starts, lengths)
    mixed = _mix((data.astype(np.uint64) << np.uint64(32)) + positions.astype(np.uint64))
    sums = np.append(np.uint64(0), np.cumsum(mixed, dtype=np.uint64))
    words: Words = sums[starts + lengths] - sums[starts] + lengths.astype(np.uint64) * _GAMMA
    return words
