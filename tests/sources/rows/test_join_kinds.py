"""Batches of single kinds are joined by id; what one of them lacks is missing, not empty."""

import numpy as np
import pyarrow as pa
import pytest

from tidemill.model.ids import id_name
from tidemill.model.series import Batch, Quarantined, SeriesBlock
from tidemill.sources.rows.join_kinds import join_kinds


def batch(ids, **kinds):
    """Ids, and the length of each of their series by kind."""
    blocks = {}
    for kind, lengths in kinds.items():
        ends = np.concatenate([[0], np.cumsum(lengths)])
        values = np.arange(ends[-1], dtype=float)
        blocks[kind] = SeriesBlock(kind, values, ends[:-1], ends[1:], None)
    return Batch(pa.array(ids), blocks, input_rows=10)


def test_every_id_has_its_own_series():
    joined = join_kinds(
        [batch([2, 5], x=[1, 2]), batch([1, 5], y=[3, 4], z=[1, 1])], ["z", "x", "y"]
    )
    assert joined.ids.to_pylist() == [1, 2, 5]
    assert list(joined.blocks) == ["z", "x", "y"]
    assert joined.blocks["x"].lengths.tolist() == [0, 1, 2]
    assert joined.blocks["y"].lengths.tolist() == [3, 0, 4]
    assert joined.present["x"].tolist() == [False, True, True]
    assert joined.present["z"].tolist() == [True, False, True]
    assert joined.input_rows == 20


def test_what_is_missing_in_one_batch_stays_missing():
    first = batch([1, 2], x=[1, 1], y=[0, 2])
    first.present["y"] = np.array([False, True])
    joined = join_kinds([first, batch([2, 3], z=[1, 1])])
    assert joined.present["y"].tolist() == [False, True, False]
    assert "x" in joined.present


@pytest.mark.parametrize("composite", [False, True])
def test_a_quarantined_id_is_left_out_of_all_kinds(composite):
    ids = [{"a": 1, "b": "p"}, {"a": 2, "b": "q"}] if composite else [1, 2]
    one, other = batch(ids, x=[1, 1]), batch(ids[1:], y=[1])
    out = Quarantined(id_name(one.ids[0]), "y", "null")
    other = Batch(other.ids, other.blocks, quarantined=(out,))
    joined = join_kinds([one, other])
    assert joined.ids.to_pylist() == ids[1:]
    assert joined.quarantined == (out,)
    assert joined.present == {}
