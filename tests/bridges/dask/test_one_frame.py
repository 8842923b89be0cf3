from __future__ import annotations

import dask
import dask.dataframe as dd
import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.bridges.dask.calculate import FrameCalculation
from tidemill.bridges.dask.one_frame import KIND, VALUE, one_frame
from tidemill.errors import ArgumentError

SETTINGS = {"mean": None, "maximum": None}
ROLES = {"column_id": "id", "column_sort": "time"}


@pytest.fixture
def frames(rng):
    def one(name, n, dtype):
        ids = rng.permutation(n) % 9
        return pd.DataFrame({"id": ids, "time": range(n), name: rng.integers(0, 9, n)}).astype(
            {name: dtype}
        )

    return {"b": one("u", 120, "float64"), "a": one("v", 60, "int64")}


def _given(frames):
    return {kind: dd.from_pandas(one, npartitions=3) for kind, one in frames.items()}


def test_a_dict_of_frames_gives_the_kinds_in_its_order(frames):
    frames["a"] = frames["a"][frames["a"]["id"] != 3]
    wanted = extract_features(frames, SETTINGS, **ROLES)
    assert wanted.columns[0].startswith("b__")
    assert wanted.loc[3].isna().sum() == 2
    lazy = extract_features(_given(frames), SETTINGS, **ROLES)
    got = lazy.compute(scheduler="threads").sort_index()
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


def test_the_frame_holds_each_row_with_its_kind(frames):
    given = _given(frames)
    calculation = FrameCalculation.of(
        {kind: one._meta for kind, one in given.items()}, SETTINGS, **ROLES
    )
    with dask.config.set(scheduler="threads"):
        whole = one_frame(given, calculation).compute()
    assert whole[KIND].cat.categories.tolist() == ["b", "a"]
    assert whole[whole[KIND] == "a"][VALUE].tolist() == frames["a"]["v"].tolist()


def test_a_dict_of_other_things_is_refused(frames):
    given = {"b": _given(frames)["b"], "a": frames["a"]}
    with pytest.raises(ArgumentError, match=r"not every frame is a Dask DataFrame \('a': DataFr"):
        extract_features(given, SETTINGS, **ROLES)
