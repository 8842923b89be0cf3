"""From series to relevant features, beside tsfresh."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import extract_relevant_features

from ..support.tsfresh_selection import original

IDS = 20
rng = np.random.default_rng(10)
Y = pd.Series(np.arange(IDS) % 2 == 0)
FRAME = pd.DataFrame(
    {
        "id": np.repeat(np.arange(IDS), 6),
        "a": rng.normal(size=IDS * 6) + np.repeat(np.arange(IDS) % 2, 6) * 3,
        "b": rng.normal(size=IDS * 6),
    }
)
SETTINGS = {"mean": None, "maximum": None, "length": None}


def test_parameters_are_those_of_tsfresh():
    theirs = inspect.signature(original("extract_relevant_features")).parameters
    ours = inspect.signature(extract_relevant_features).parameters
    assert list(ours) == list(theirs)


def test_relevant_features_are_those_of_tsfresh():
    more = pd.DataFrame({"size": np.arange(IDS)})
    options = {"X": more, "default_fc_parameters": SETTINGS, "column_id": "id"}
    ours = extract_relevant_features(FRAME, Y, **options)
    theirs = original("extract_relevant_features")(
        FRAME, Y, **options, n_jobs=0, disable_progressbar=True
    )
    pd.testing.assert_frame_equal(ours, theirs)
    assert list(ours) == ["size", "a__mean", "a__maximum"]


def test_only_the_ids_of_the_matrix_are_used():
    some = Y.index[:12]
    found = extract_relevant_features(
        FRAME, Y[some], pd.DataFrame(index=some), SETTINGS, column_id="id"
    )
    assert found.index.tolist() == list(some)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": list(Y)}, "y=list is not supported"),
        ({"y": Y[:1]}, "y has only one value"),
        ({"y": Y[:-1]}, "in the series but not in the index of y: 19;"),
        ({"timeseries_container": FRAME[:-6]}, "in the index of y but not in the series: 19;"),
        ({"column_id": "pump"}, "column_id='pump' names no column"),
        ({"X": pd.DataFrame(index=[77])}, "none of the ids"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message):
    arguments = {"timeseries_container": FRAME, "y": Y, "column_id": "id"} | change
    with pytest.raises(SelectionError, match=message):
        extract_relevant_features(**arguments)
