"""A sample holds whole series of short and long ids, and skips row groups without them."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import DataError
from tidemill.model.policies import Policies
from tidemill.sources.files.open import open_source
from tidemill.sources.files.sampling import choose_keys, read_sample
from tidemill.sources.files.statistics import gather_statistics

LENGTHS = np.arange(1, 41)


@pytest.fixture
def frame():
    ids = np.repeat(np.arange(40), LENGTHS)
    return pd.DataFrame({"id": ids, "x": np.random.default_rng(0).normal(size=len(ids))})


def opened(tmp_path, frame, **options):
    frame.to_parquet(tmp_path / "a.parquet", **options)
    source = open_source(tmp_path, column_id="id")
    return source, gather_statistics(source)


@pytest.mark.parametrize("text", [False, True])
def test_series_are_whole_and_of_all_lengths(tmp_path, frame, text):
    if text:
        frame["id"] = frame["id"].map("id {:02d}".format)
    shuffled = frame.sample(frac=1, random_state=1)
    source, found = opened(tmp_path, shuffled, row_group_size=100)
    sample = read_sample(source, found, 8, Policies(), needs_times=False)
    ids, block = sample.batch.ids.to_pylist(), sample.batch.blocks["x"]
    whole = Counter(frame["id"])
    assert block.lengths.tolist() == [whole[one] for one in ids]
    assert len(ids) == 8
    assert block.lengths.min() < 10
    assert block.lengths.max() > 30
    assert sample.rows == block.lengths.sum()
    assert sample.rows_read == len(frame)


def test_row_groups_without_chosen_ids_are_not_read(tmp_path, frame):
    source, found = opened(tmp_path, frame, row_group_size=20)
    sample = read_sample(source, found, 1, Policies(), needs_times=False)
    assert len(sample.batch.ids) == 1
    assert sample.rows <= sample.rows_read < len(frame) / 4


def test_no_more_ids_are_chosen_than_were_met(tmp_path, frame):
    _, found = opened(tmp_path, frame)
    assert choose_keys(found, 1_000).tolist() == list(range(40))


def test_policies_hold_for_the_sample(tmp_path, frame):
    source, found = opened(tmp_path, frame.assign(x=np.nan))
    with pytest.raises(DataError, match="null, NaN or infinite values"):
        read_sample(source, found, 3, Policies(on_nan="raise"), needs_times=False)
