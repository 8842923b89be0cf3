from __future__ import annotations

import dask.array as da
import dask.dataframe as dd
import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.errors import ArgumentError


@pytest.mark.parametrize(
    "make", [lambda x: da.from_array(x.to_numpy()), lambda x: dd.from_pandas(x, npartitions=1)["x"]]
)
def test_other_things_of_dask_are_refused(make):
    frame = pd.DataFrame({"id": [1], "x": [1.0]})
    with pytest.raises(ArgumentError, match=r"is a dask\..*, but of Dask it may be a DataFrame"):
        extract_features(make(frame), "minimal", column_id="id")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"column_id": "nobody"}, "column_id='nobody' is not a column"),
        ({"column_id": "id", "default_fc_parameters": "most"}, "'most'"),
        ({"column_id": "id", "column_kind": "none"}, "column_kind='none' is not a column"),
        ({"column_id": "id", "kinds": ["x"]}, "has no meaning without column_kind"),
        ({"column_id": "id", "on_nan": "drop"}, "on_nan='drop' is not allowed"),
    ],
)
def test_a_wrong_request_is_refused_while_nothing_is_computed(wrong, told):
    given = dd.from_pandas(pd.DataFrame({"id": [1], "x": [1.0]}), npartitions=1)
    with pytest.raises(ValueError, match=told):
        extract_features(given, **wrong)
