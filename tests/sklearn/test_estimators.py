"""What scikit-learn asks of any estimator; where one differs, docs/sklearn.md says why."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
from sklearn.utils.estimator_checks import check_estimator

from tidemill.sklearn import FeatureExtractor, FeatureSelector, PerColumnImputer, __all__

#: Checks that an estimator does not pass, each named in docs/sklearn.md with its reason.
EXPECTED = {
    "FeatureExtractor": {
        "check_n_features_in_after_fitting": "series may have other lengths than those of fit",
        "check_transformer_general": "series may have other lengths than those of fit",
        "check_dtype_object": "a cell that is no number is an ArgumentError, so a ValueError",
    },
    "PerColumnImputer": {
        "check_transformer_preserve_dtypes": "a frame comes out, as of tsfresh's",
    },
    "FeatureSelector": {},
}


@pytest.mark.parametrize(
    "estimator",
    [FeatureExtractor("minimal", n_jobs=1), PerColumnImputer(), FeatureSelector(n_jobs=1)],
    ids=lambda one: type(one).__name__,
)
def test_checks(estimator):
    expected = EXPECTED[type(estimator).__name__]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about columns that are not relevant, and skipped checks
        found = check_estimator(estimator, expected_failed_checks=expected, on_fail="raise")
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == set(expected)


def test_the_exceptions_are_explained():
    page = pytest.importorskip("pathlib").Path("docs/sklearn.md").read_text("utf-8")
    for name, checks in EXPECTED.items():
        assert f"`{name}`" in page
        assert all(f"`{check}`" in page for check in checks)


def test_names_are_sorted():
    assert sorted(__all__) == __all__


def test_a_missing_scikit_learn_is_a_sentence():
    program = """
import sys
sys.modules["sklearn"] = None
try:
    import tidemill.sklearn
except ImportError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert shown.stdout.decode().strip() == (
        "tidemill.sklearn needs sklearn, which is not installed: pip install 'tidemill[sklearn]'"
    )
