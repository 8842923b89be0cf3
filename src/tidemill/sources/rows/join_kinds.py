"""Join batches of single kinds, in which ids may be missing, into one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.model.aliases import Index
from tidemill.model.ids import encode, id_name
from tidemill.model.series import Batch, Quarantined, SeriesBlock
from tidemill.sources.rows.composite_ids import split_ids

__all__ = ["join_kinds"]


def join_kinds(
    batches: Sequence[Batch], kinds: Sequence[str] = (), keys: pa.Array | None = None
) -> Batch:
    """One batch of the kinds of several, whose ids have one type.

    Parameters
    ----------
    batches : each with kinds of its own
    kinds : all kinds, in order; by default that of the batches
    keys : ids that are to be there even if no batch has them; composite ones as text

    Returns
    -------
    Batch
        An id is missing from it if it is quarantined in any of the batches, and lacks the kinds of
        batches that do not have it.

    Examples
    --------
    >>> def batch(ids, kind):
    ...     ends = np.arange(len(ids) + 1)
    ...     block = SeriesBlock(kind, np.ones(len(ids)), ends[:-1], ends[1:], None)
    ...     return Batch(pa.array(ids), {kind: block})
    >>> joined = join_kinds([batch([1, 2], "x"), batch([2, 3], "y")])
    >>> joined.ids.to_pylist(), joined.blocks["x"].lengths, joined.present["y"]
    ([1, 2, 3], array([1, 1, 0]), array([False,  True,  True]))
    """
    own = [_keys(batch.ids) for batch in batches]
    every = pa.concat_arrays(own if keys is None else [*own, keys]).unique()
    quarantined = {one.id: one for batch in batches for one in batch.quarantined}
    if quarantined:
        every = every.filter(pa.array(_sound(every, batches[0].ids.type, quarantined)))
    found = every.take(pc.array_sort_indices(every))
    blocks: dict[str, SeriesBlock] = {}
    present = {}
    for batch, mine in zip(batches, own, strict=True):
        place = pc.index_in(found, mine)
        has = np.asarray(place.is_valid().to_numpy(zero_copy_only=False))
        places = place.fill_null(-1).to_numpy()
        for kind, block in batch.blocks.items():
            inner = np.append(batch.present.get(kind, np.ones(len(mine), np.bool_)), [False])
            present[kind] = has & inner[places]
            blocks[kind] = _take_series(block, places)
    order = kinds or tuple(blocks)
    return Batch(
        ids=_ids(found, batches[0].ids.type),
        blocks={kind: blocks[kind] for kind in order},
        present={kind: present[kind] for kind in order if not present[kind].all()},
        quarantined=tuple(quarantined.values()),
        input_rows=sum(batch.input_rows for batch in batches),
        keys={kind: own for batch in batches for kind, own in batch.keys.items()},
        lengths=tuple(one for batch in batches for one in batch.lengths),
    )


def _keys(ids: pa.Array) -> pa.Array:
    """Ids that can be compared: composite ones as text."""
    return encode(ids.flatten()) if pt.is_struct(ids.type) else ids


def _ids(keys: pa.Array, type_: pa.DataType) -> pa.Array:
    if not pt.is_struct(type_):
        return keys
    fields = [type_.field(place) for place in range(type_.num_fields)]
    return split_ids(keys, [one.name for one in fields], [one.type for one in fields])


def _sound(
    keys: pa.Array, type_: pa.DataType, quarantined: Mapping[object, Quarantined]
) -> list[bool]:
    """Which of the keys are not of quarantined ids."""
    return [id_name(one) not in quarantined for one in _ids(keys, type_)]


def _take_series(block: SeriesBlock, place: Index) -> SeriesBlock:
    """Take the series at ``place``; those at -1 are empty."""
    starts, stops = (np.append(array, 0)[place] for array in (block.starts, block.stops))
    return SeriesBlock(block.kind, block.values, starts, stops, block.times)
