"""Which quarantined ids are tried again, and in which parts they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tidemill.calculators import calculator, registry
from tidemill.model.series import Quarantined
from tidemill.model.versions import versions
from tidemill.planning.prepare import prepare
from tidemill.planning.quarantine import count_by_age, made_with, parts_of_ids, why_again
from tidemill.planning.request import make_request

from ..support.inputs import make_input


def test_a_change_of_what_made_it_is_named_and_nothing_else_is():
    before = {"numpy": "2.3", "numba": "0.62", "the calculator own": "ab12"}
    assert why_again(1, before, before, asked=False) == ""
    assert why_again(1, before, {**before, "the calculator new": "x"}, asked=False) == ""
    assert why_again(1, {}, before, asked=False) == "", "version 0.1.0 did not record it"
    now = {**before, "numba": "0.63", "the calculator own": "cd34"}
    assert why_again(1_200, before, now, asked=False) == (
        "1,200 quarantined ids are tried again: numba changed from 0.62 to 0.63, "
        "the calculator own changed"
    )
    assert why_again(1, {}, now, asked=True) == "1 quarantined id is tried again: as was asked for"


def test_the_code_of_custom_calculators_counts_but_not_prefect(monkeypatch):
    settings = {"*": [["mean", {}], ["own", {}]]}
    found = []
    for function in (lambda values: values[0], lambda values: values[-1]):
        monkeypatch.setattr(registry, "_known", dict(registry._known))
        calculator(function, name="own")
        found.append(made_with(settings))
    first, second = found
    assert {name for name in first if first[name] != second[name]} == {"the calculator own"}
    assert first.keys() - {"the calculator own"} == versions().keys() - {"prefect"}


@pytest.mark.parametrize("as_text", [False, True])
def test_ids_are_found_in_their_parts(as_text, tmp_path):
    series = make_input(tmp_path, n_ids=6, ids_per_part=2)
    if as_text:
        frame = series.frame.assign(id=[f"id {one}" for one in series.frame["id"]])
        frame.to_parquet(series.path, index=False, row_group_size=2 * series.length)
    plan, _ = prepare(make_request(sink="nowhere", settings="minimal", **series.arguments))
    assert len(plan.parts) == 3
    for place in (0, 3, 5):
        assert parts_of_ids(plan, [f"id {place}" if as_text else str(place)]) == {place // 2}
    assert parts_of_ids(plan, []) == set()


def test_other_ids_are_not_looked_for(tmp_path):
    days = pd.date_range("2026-11-01", periods=4)
    frame = pd.DataFrame({"day": days, "x": np.arange(4.0)})
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    request = make_request(tmp_path / "in.parquet", "nowhere", settings="minimal", column_id="day")
    assert parts_of_ids(prepare(request)[0], ["2026-11-02"]) == set()


def test_ids_are_counted_by_the_day_of_their_quarantine():
    now = "2026-11-21T06:00:00+00:00"
    one = Quarantined("a", None, "died", since="2026-11-20T06:00:00+00:00")
    found = [one, replace(one, since="2026-11-20T23:00:00+00:00"), replace(one, since=now)]
    assert count_by_age(found, now) == {"2026-11-20": 2, "new": 1}
    assert count_by_age(found[2:], "2026-11-21T07:00:00+00:00") == {"2026-11-21": 1}
