"""How columns are tested: what cannot be meant is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.errors import ArgumentError
from tidemill.selection.rules import SelectionRules, check_rules


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"test": "t"}, "='t' is not allowed; choose one of 'mann', 'smir'"),
        ({"per_window": "day"}, "per_window='day' is not allowed; give 'interval' or None"),
        ({"min_share": 0}, "min_share=0 is not allowed; give a number above 0 and at most 1"),
        ({"min_share": 1.01}, "min_share=1.01 is not allowed"),
        ({"min_share": float("nan")}, "min_share=nan is not allowed"),
        ({"min_share": "half"}, "min_share='half' is not allowed"),
        ({"min_share": True}, "min_share=True is not allowed"),
        ({"fdr_level": 5}, "fdr_level=5 is not allowed; give a number above 0 and at most 1"),
        ({"fdr_level": float("nan")}, "fdr_level=nan is not allowed"),
        ({"fdr_level": "0.05"}, "fdr_level='0.05' is not allowed"),
        ({"n_significant": 0}, "n_significant=0 is not allowed; give 1 or more"),
        ({"n_significant": "2"}, "n_significant='2' is not allowed"),
        ({"multiclass": "no"}, "multiclass='no' is not allowed; give True or False"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        check_rules(SelectionRules(**given))


def test_numbers_of_numpy_are_numbers():
    check_rules(
        SelectionRules(
            fdr_level=np.float64(0.1), n_significant=np.int64(2), multiclass=np.bool_(True)
        )
    )


def test_a_share_of_one_means_all_intervals():
    check_rules(SelectionRules(per_window="interval", min_share=1))
