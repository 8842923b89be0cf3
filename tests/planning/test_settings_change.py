"""How requested settings differ from those an interval was built with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.model.policies import Policies
from tidemill.planning.settings_change import settings_change

from ..support.daily import (
    DAYS,
    known,
    run,
)


@pytest.mark.parametrize(
    ("before", "now", "gained", "lost"),
    [
        ({"*": [["mean", {}]]}, {"*": [["mean", {}]], "x": []}, (), ("x__mean",)),
        ({"x": [["mean", {}]]}, {"*": [["mean", {}]]}, ("mean",), ()),
        (
            {"*": [["quantile", {"q": 0.1}]]},
            {"*": [["quantile", {"q": 0.2}], ["quantile", {"q": 0.1}]]},
            ("quantile__q_0.2",),
            (),
        ),
        ({"*": [["mean", {}], ["maximum", {}]]}, {"*": [["maximum", {}], ["mean", {}]]}, (), ()),
    ],
)
def test_settings_are_compared_kind_by_kind(before, now, gained, lost, source, table):
    run(source, table, DAYS[0])
    (record,) = known(table).values()
    found = settings_change(now, Policies(), replace(record, settings=before))
    assert (found.gained, found.lost, bool(found)) == (gained, lost, bool(gained or lost))
