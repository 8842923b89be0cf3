"""PerColumnImputer, beside tsfresh's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tsfresh.transformers import PerColumnImputer as Theirs

from tidemill.errors import ArgumentError
from tidemill.sklearn import PerColumnImputer
from tidemill.sklearn.fitted import UnfittedError

#: tsfresh's own helpers still say `copy=`.
pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")

NAN, INF = np.nan, np.inf
SEEN = pd.DataFrame({"a": [1.0, NAN, 3.0, INF], "b": [5.0, -INF, 6.0, 9.0], "c": [1, 2, 3, 4]})
LATER = pd.DataFrame({"a": [NAN, INF, -INF], "b": [-INF, NAN, 2.0], "c": [7, 8, 9]})


@pytest.mark.parametrize(
    "presets",
    [
        {},
        {"col_to_NINF_repl_preset": {"b": -100.0}},
        {"col_to_PINF_repl_preset": {"a": 50.0}, "col_to_NAN_repl_preset": {"a": 0.5, "b": 0.25}},
    ],
)
def test_the_frame_is_tsfreshs(presets):
    theirs = Theirs(**presets).fit(SEEN).transform(LATER.copy())
    found = PerColumnImputer(**presets).fit(SEEN).transform(LATER)
    pd.testing.assert_frame_equal(found, theirs)


def test_what_it_gets_stays_as_it_is():
    before = LATER.copy()
    presets = {"a": 1.0}
    PerColumnImputer(col_to_NAN_repl_preset=presets).fit(SEEN).transform(LATER)
    pd.testing.assert_frame_equal(LATER, before)
    assert presets == {"a": 1.0}


def test_arrays_become_frames():
    found = PerColumnImputer().fit(SEEN.to_numpy()).transform(LATER.to_numpy())
    expected = PerColumnImputer().fit(SEEN).transform(LATER)
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_a_column_without_any_finite_cell_is_told_of():
    with pytest.warns(RuntimeWarning, match="without a finite value are filled with zeros: 'a'"):
        imputer = PerColumnImputer().fit(pd.DataFrame({"a": [NAN, INF]}))
    assert imputer.transform(pd.DataFrame({"a": [NAN]})).loc[0, "a"] == 0.0


def test_wrong_input_is_refused():
    with pytest.raises(UnfittedError):
        PerColumnImputer().transform(LATER)
    for name in ("NINF", "PINF", "NAN"):
        with pytest.raises(ArgumentError, match=f"col_to_{name}_repl_preset names the columns 'z'"):
            PerColumnImputer(**{f"col_to_{name}_repl_preset": {"z": 1.0}}).fit(SEEN)
    with pytest.raises(ValueError, match="feature names"):
        PerColumnImputer().fit(SEEN).transform(LATER[["a", "b"]])
