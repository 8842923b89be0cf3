"""Write the rows of one part as Parquet, tile by tile."""

from __future__ import annotations

from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.model.digests import HashingFile, RowSum, row_sum
from tidemill.model.id_types import id_key, parse_type
from tidemill.model.ids import id_fields, mark_ids
from tidemill.model.plan import Plan

__all__ = ["PartWriter", "part_schema"]

#: Cells per row group: small tiles are gathered up to this, so that files have few row groups.
GROUP_CELLS = 4 * 2**20
#: Rows transposed at a time.
TRANSPOSED_ROWS = 512


def part_schema(plan: Plan) -> pa.Schema:
    """Schema of every part of a plan: the id columns by their own names, then float64 features."""
    source = plan.source
    pairs = zip(source.columns.ids, source.id_types, strict=True)
    ids = mark_ids([pa.field(name, parse_type(type_)) for name, type_ in pairs])
    return pa.schema([*ids, *(pa.field(name, pa.float64()) for name in plan.columns)])


def by_column(tile: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A copy of the rows of a tile as columns, float64[m, k].

    Copied a few hundred rows at a time, which fit in the cache: 3 to 7 times faster than at once.

    Examples
    --------
    >>> by_column(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[1., 3., 5.],
           [2., 4., 6.]])
    """
    columns = np.empty(tile.shape[::-1])
    for first in range(0, len(tile), TRANSPOSED_ROWS):
        rows = tile[first : first + TRANSPOSED_ROWS]
        columns[:, first : first + len(rows)] = rows.T
    return columns


class PartWriter:
    """Writes one part to a binary file and keeps its rows, id range, size, checksum and digest.

    Parameters
    ----------
    sink : binary file object, open for writing
    plan : the plan that the part belongs to
    """

    def __init__(self, sink: BinaryIO, plan: Plan) -> None:
        self.schema = part_schema(plan)
        self.rows = 0
        self.digest = RowSum()  # order-free, of the rows written
        self.file = HashingFile(sink)
        self._range: list[Any] = [None, None]
        self._held: list[tuple[pa.Array, npt.NDArray[np.float64]]] = []
        self._held_rows = 0
        self._id_names = [field.name for field in id_fields(self.schema)]
        # Feature values rarely repeat, and their statistics only fill the footer: 4,000 rows
        # of 783 columns take 20 ms without either, 152 ms with both (zstd: 56 ms, 4 % smaller).
        self._writer = pq.ParquetWriter(
            self.file,
            self.schema,
            compression="snappy",
            use_dictionary=False,
            write_statistics=self._id_names,
            write_page_checksum=True,  # a tenth of the time of writing, 3 % of a page's reading
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()

    def write(self, ids: pa.Array, tile: npt.NDArray[np.float64]) -> None:
        """Add rows: ``ids`` [k] and ``tile`` float64[k, m], which may be overwritten afterwards.

        Composite ids are structs.
        """
        if not len(ids):
            return
        if self._range[0] is None:
            self._range[0] = ids[0]
        self._range[1] = ids[-1]
        names = self.schema.names[len(self._id_names) :]
        self.digest += row_sum(ids, tile, names, self._id_names[0])
        self.rows += len(ids)
        self._held.append((ids, by_column(tile)))
        self._held_rows += len(ids)
        if self._held_rows * max(tile.shape[1], 1) >= GROUP_CELLS:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        ids = pa.concat_arrays([ids for ids, _ in self._held])
        tiles = [columns for _, columns in self._held]
        columns = tiles[0] if len(tiles) == 1 else np.concatenate(tiles, axis=1)
        self._held, self._held_rows = [], 0
        parts = ids.flatten() if len(self._id_names) > 1 else [ids]
        cast = (part.cast(type_) for part, type_ in zip(parts, self.schema.types, strict=False))
        arrays = [*cast, *(pa.array(column) for column in columns)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))

    @property
    def id_range(self) -> list[Any]:
        """First and last id written, as JSON values; ``[None, None]`` if there are no rows."""
        return [None if one is None else id_key(one) for one in self._range]
