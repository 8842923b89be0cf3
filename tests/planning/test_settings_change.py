"""How requested settings differ from those an interval was built with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.model.interval import Interval
from tidemill.model.policies import Policies
from tidemill.planning.settings_change import SettingsChange, settings_change

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


def test_policies_and_windows_are_named_with_both_values(source, table):
    run(source, table, DAYS[0])
    (record,) = known(table).values()
    found = settings_change(record.settings, Policies(on_nan="omit"), record)
    assert found.text == "on_nan='omit' instead of 'raise'"
    assert not found.only_gains
    longer = Interval(record.start, record.end, record.start - (record.end - record.start))
    found = settings_change(record.settings, Policies(), record, longer)
    assert found.text == "a window of 48 instead of 24 hours"
    same = Interval(record.start, record.end, record.window_start)
    assert not settings_change(record.settings, Policies(), record, same)


def test_the_text_names_a_few_of_many_features():
    names = tuple(f"f{number}" for number in range(9))
    change = SettingsChange(gained=names, lost=names[:1], policies=("on_nan='omit'",))
    assert change.text.startswith("new features f0, f1, f2")
    assert "f8" not in change.text
    assert change.text.endswith("features left out f0; on_nan='omit'")
    assert SettingsChange(gained=names).only_gains
    assert not SettingsChange()
    assert SettingsChange().text == ""
