"""The public functions of ``tidemill.cluster``: their arguments at the door."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pandas as pd
import pytest

from tidemill import cluster
from tidemill.cluster import iter_features, submit_features
from tidemill.errors import ArgumentError, SettingsError

FRAME = pd.DataFrame({"id": [1, 1], "x": [0.0, 1.0]})


def test_public_names():
    assert cluster.__all__ == ["iter_features", "submit_features"]


def test_both_take_the_same_arguments():
    first, second = (
        dict(inspect.signature(one).parameters) for one in map(vars(cluster).get, cluster.__all__)
    )
    assert first.pop("max_in_flight").default is None
    assert first == second


def test_importing_it_loads_neither_dask_nor_pandas():
    program = (
        "import sys, tidemill.cluster; assert not {'dask', 'pandas', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("function", [iter_features, submit_features])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"column_id": "id"}, "client=None, and there is no Dask client"),
        ({"column_id": "id", "client": 3}, "client=3 is not allowed"),
        ({"column_id": "id", "on_nan": "drop"}, "on_nan='drop'"),
        ({"column_id": "id", "kinds": ["x"]}, "kinds=.* has no meaning without column_kind"),
        ({"column_id": None}, "column_id"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_submitted(function, given, told):
    with pytest.raises(ArgumentError, match=told):
        function([FRAME], "minimal", **given)


def test_settings_that_are_not_there_are_refused():
    with pytest.raises(SettingsError):
        submit_features([FRAME], {"no_such": None}, column_id="id")


def test_no_chunk_in_flight_is_refused():
    with pytest.raises(ArgumentError, match="max_in_flight=0 is not allowed"):
        iter_features([FRAME], column_id="id", max_in_flight=0)
