"""Statistics add up to the input, exactly where all ids were read and nearly where not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.sources.files import statistics
from tidemill.sources.files.open import open_source
from tidemill.sources.files.statistics import gather_statistics


def gather(folder, ids, sample_rows=10**6, **options):
    table = pa.table({"id": ids, "x": np.zeros(len(ids))})
    pq.write_table(table, folder / "a.parquet", **options)
    return gather_statistics(open_source(folder, column_id="id"), sample_rows)


@pytest.mark.parametrize("write_statistics", [True, False])
def test_lengths_are_exact_if_all_ids_are_read(tmp_path, write_statistics):
    ids = np.repeat([3, 5, 9], [4, 1, 4])
    found = gather(tmp_path, ids, row_group_size=3, write_statistics=write_statistics)
    assert [(one.lower, one.upper) for one in found.groups] == [(3, 3), (3, 9), (9, 9)]
    assert found.keys.tolist() == [3, 5, 9]
    assert found.rows.tolist() == found.lengths.tolist() == [4.0, 1.0, 4.0]
    assert found.profile.lengths.tolist() == [1.0, 4.0]
    assert found.profile.counts.tolist() == [1.0, 2.0]
    assert (found.profile.rows, found.profile.ids) == (9, 3.0)


@pytest.mark.parametrize(("shuffled", "error"), [(False, 0.01), (True, 0.4)])
def test_a_sample_is_scaled_to_all_rows(tmp_path, shuffled, error):
    ids = np.repeat(np.arange(200), 50)
    if shuffled:
        ids = np.random.default_rng(0).permutation(ids)
    found = gather(tmp_path, ids, sample_rows=1_000, row_group_size=250)
    assert found.rows.sum() == pytest.approx(10_000)
    assert found.profile.rows == 10_000
    assert found.profile.ids == pytest.approx(200, rel=error)


def test_groups_come_by_their_range_and_empty_ones_not_at_all(tmp_path):
    for number, ids in enumerate([[7, 8], [], [1, 2]]):
        table = pa.table({"id": pa.array(ids, pa.int64()), "x": np.zeros(len(ids))})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    found = gather_statistics(open_source(tmp_path, column_id="id"))
    assert [(one.file, one.lower) for one in found.groups] == [(2, 1), (0, 7)]


def test_the_bytes_of_a_row_follow_from_the_text_of_ids(tmp_path):
    short, long = (gather(tmp_path, [name, name + "b"]) for name in ("a" * 4, "a" * 40))
    assert long.row_bytes - short.row_bytes == pytest.approx(36)
    assert gather(tmp_path, [1, 2]).row_bytes == 16


def test_many_lengths_are_joined_without_a_change_of_the_sum(monkeypatch):
    monkeypatch.setattr(statistics, "PROFILE_BINS", 8)
    lengths, counts = np.arange(1.0, 101.0), np.full(100, 2.0)
    joined, ids = statistics._binned(lengths, counts)
    assert len(joined) <= 9
    assert (joined * ids).sum() == pytest.approx((lengths * counts).sum())
    assert ids.sum() == 200


def test_long_format_counts_series_of_one_kind(tmp_path):
    frame = pd.DataFrame({"id": np.repeat([1, 2], 10), "kind": ["a", "b"] * 10, "x": 0.0})
    frame.to_parquet(tmp_path / "a.parquet")
    source = open_source(tmp_path, column_id="id", column_kind="kind")
    assert gather_statistics(source).profile.lengths.tolist() == [5.0]
