"""Features left to calculate: those of the settings whose columns are not published."""

from __future__ import annotations

import pytest

from tidemill.calculators.settings import Settings
from tidemill.planning.features import features_left

QUANTILES = [{"q": 0.25}, {"q": 0.75}]
SETTINGS = Settings.from_any({"mean": None, "quantile": QUANTILES}, {"y": {"maximum": None}})


def test_without_published_columns_all_are_left_kind_by_kind():
    found = features_left(SETTINGS, ["x", "y"])
    assert found == {kind: tuple(SETTINGS.features_for(kind)) for kind in ("x", "y")}
    assert [name for name, _ in found["x"]] == ["mean", "quantile", "quantile"]
    assert found["y"] == (("maximum", {}),)


def test_only_the_same_kind_and_parameters_count_as_published():
    published = ["x__quantile__q_0.25", "y__mean", "z__maximum"]
    found = features_left(SETTINGS, ["x", "y"], published)
    assert found["x"] == (("mean", {}), ("quantile", {"q": 0.75}))
    assert found["y"] == (("maximum", {}),)


@pytest.mark.parametrize("kinds", [["y"], ["y", "x"]])
def test_nothing_is_left_of_what_is_published_already(kinds):
    found = features_left(SETTINGS, kinds, SETTINGS.columns(kinds))
    assert list(found) == kinds
    assert not any(found.values())
