from __future__ import annotations

import dask.dataframe as dd
import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.errors import ArgumentError
from tidemill.frames.dask_input import holds_dask, is_lazy

FRAME = pd.DataFrame({"id": [1, 1], "x": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("argument", "instead"),
    [
        ({"n_jobs": 4}, "threads_per_worker"),
        ({"chunksize": 10}, r"data\.repartition"),
        ({"distributor": object()}, "distributor=object has no meaning"),
        ({"profile": True}, r"client\.profile"),
        ({"impute_function": print}, "give lazy=False"),
        ({"pivot": False}, "give lazy=False"),
    ],
)
def test_what_has_no_meaning_for_data_of_dask_is_refused(argument, instead):
    given = dd.from_pandas(FRAME, npartitions=1)
    with pytest.raises(ArgumentError, match=instead):
        extract_features(given, "minimal", column_id="id", **argument)


@pytest.mark.parametrize(
    "argument", [{"client": "tcp://host"}, {"kinds": ["x"]}, {"aligned": True}]
)
def test_what_is_for_data_of_dask_is_refused_for_pandas(argument):
    with pytest.raises(ArgumentError, match=r"is for data of Dask only"):
        extract_features(FRAME, "minimal", column_id="id", **argument)


def test_data_of_dask_are_found_wherever_they_lie():
    lazy = dd.from_pandas(FRAME, npartitions=1)
    assert all(map(holds_dask, (lazy, [lazy], {"x": lazy}, [FRAME, lazy])))
    assert not any(map(holds_dask, (FRAME, {"x": FRAME}, [FRAME], None)))
    assert is_lazy(lazy, lazy=True)
    assert not is_lazy([lazy], lazy=True)
