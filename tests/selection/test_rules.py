"""How columns are tested: what cannot be meant is refused."""

from __future__ import annotations

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
    ],
)
def test_what_cannot_be_meant_is_refused(given, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        check_rules(SelectionRules(**given))


def test_a_share_of_one_means_all_intervals():
    check_rules(SelectionRules(per_window="interval", min_share=1))
