"""An estimator that was not fitted says so, to tidemill's, scikit-learn's and tsfresh's callers."""

from __future__ import annotations

import pytest
from sklearn.exceptions import NotFittedError

from tidemill.errors import TidemillError
from tidemill.sklearn import FeatureSelector
from tidemill.sklearn.fitted import check_fitted


@pytest.mark.parametrize("caught", [NotFittedError, RuntimeError, TidemillError, ValueError])
def test_callers_catch_what_they_are_used_to(caught):
    with pytest.raises(caught, match="this FeatureSelector is not fitted yet: call fit before"):
        check_fitted(FeatureSelector(), fitted=False)


def test_nothing_happens_to_one_that_was():
    check_fitted(FeatureSelector(), fitted=True)
