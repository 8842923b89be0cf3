"""Every form of a collection holds the same series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import ArgumentError, DataError, InputError, SourceError
from tidemill.sklearn.collections import read_collection

CUBE = np.random.default_rng(3).normal(size=(4, 2, 9))
NAMES = ["force", "torque"]


def levels() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([range(4), range(9)], names=["case", "time"])
    return pd.DataFrame(CUBE.transpose(0, 2, 1).reshape(-1, 2), index, NAMES)


def nested() -> pd.DataFrame:
    cells = {name: [pd.Series(case[j]) for case in CUBE] for j, name in enumerate(NAMES)}
    return pd.DataFrame(cells)


FORMS = {
    "cube": lambda: CUBE,
    "list of arrays": lambda: list(CUBE),
    "list of frames": lambda: [pd.DataFrame(case.T, columns=NAMES) for case in CUBE],
    "levels": levels,
    "levels in disorder": lambda: levels().groupby("time").sample(frac=1, random_state=1),
    "nested": nested,
    "integers": lambda: CUBE,
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_the_same_series(form):
    cases = read_collection(FORMS[form]())
    order = range(4) if cases.index is None else list(cases.index)
    assert sorted(order) == list(range(4))
    for place, case in zip(order, cases.series, strict=True):
        np.testing.assert_array_equal(case, CUBE[place])
    assert cases.channels in {None, ("force", "torque")}


def test_a_table_has_a_row_for_each_case():
    table = CUBE[:, 0]
    frame = pd.DataFrame(table, index=list("abcd"))
    for given in (table, table.tolist(), frame, table.astype(object)):
        cases = read_collection(given)
        np.testing.assert_array_equal(cases.series, table)
        assert cases.timepoints == 9
    assert list(read_collection(frame).index) == list("abcd")


def test_series_of_different_lengths_stay_so():
    cases = read_collection([[1.0, 2.0], [3.0]])
    assert [one.tolist() for one in cases.series] == [[1.0, 2.0], [3.0]]
    assert cases.timepoints is None


def test_dates_of_frames_are_times():
    days = pd.date_range("2026-01-01", periods=9)
    frame = levels()
    frame.index = frame.index.set_levels(days, level="time")
    assert all((one == days.to_numpy()).all() for one in read_collection(frame).times)
    frames = [pd.DataFrame(case.T, days, NAMES) for case in CUBE]
    assert all((one == days.to_numpy()).all() for one in read_collection(frames).times)
    assert read_collection(levels()).times is None


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (np.arange(3.0), ArgumentError, "Reshape your data"),
        (np.empty((0, 3)), ArgumentError, "a minimum of 1 is required"),
        (np.array([[1 + 2j]]), ArgumentError, "Complex data not supported"),
        (np.array([["a"]]), SourceError, "must be numbers"),
        (np.array([[{}]], dtype=object), ArgumentError, "X holds what is no number"),
        (np.array([[2**60]]), DataError, "float64 is exact up to"),
        (np.array([["2026"]], dtype="M8[s]"), SourceError, "must be numbers"),
        (pd.DataFrame(), ArgumentError, "X is empty"),
        (pd.concat([levels(), levels()]), DataError, "several rows of"),
        (pd.concat({"a": levels()}), ArgumentError, "3 levels"),
        (nested().assign(force=[pd.Series([1.0])] * 4), ArgumentError, "equally many"),
        ([levels(), levels()[["torque"]]], ArgumentError, r"X\[1\] has the channels 'torque'"),
    ],
)
def test_other_forms_are_refused(given, error, says):
    with pytest.raises(error, match=says):
        read_collection(given)


def test_sparse_matrices_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InputError, match="sparse"):
        read_collection(sparse.csr_matrix(np.eye(3)))
