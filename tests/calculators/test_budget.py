"""Settings that fit into a budget: what is dropped, and what that is said to save."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.calculators import Program, preset
from tidemill.calculators.budget import NEED, READING, Ledger
from tidemill.calculators.settings import Settings
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.errors import ArgumentError

#: Sorted values are shared by two, the median is read from them, moments are of one alone.
SHARED = {
    "quantile": [{"q": 0.1}, {"q": 0.9}],
    "has_duplicate": None,
    "median": None,
    "mean": None,
}
SECONDS = {
    "quantile": 2.0,
    "has_duplicate": 1.0,
    "median": 0.5,
    "mean": 0.25,
    "need:sorted": 10.0,
    "need:median": 0.125,
    "need:moments": 1.0,
    READING: 4.0,
}
ALONE = {"median": 3.0}
FEATURES = preset("efficient")
NAMES = sorted({name for name, _ in FEATURES})


def frame(seconds=SECONDS, alone=ALONE):
    rows = [
        (name, value, alone.get(name.removeprefix(NEED), value)) for name, value in seconds.items()
    ]
    return pd.DataFrame(rows, columns=["calculator", "seconds", "alone"])


@pytest.fixture
def settings():
    return Settings.from_any(SHARED)


@pytest.fixture
def ledger(settings):
    return Ledger.of(settings.default, SECONDS, ALONE)


def test_everything_together_is_the_sum_of_the_rows(ledger):
    assert ledger.total(list(SHARED)) == sum(SECONDS.values())


def test_what_is_shared_goes_with_its_last_user_only(ledger):
    assert ledger.saves("quantile", ["quantile", "has_duplicate", "mean"]) == 2.0
    assert ledger.saves("quantile", ["quantile", "mean"]) == 2.0 + 10.0
    assert ledger.saves("mean", ["quantile", "mean"]) == 0.25 + 1.0


def test_what_was_read_from_something_else_is_made_when_that_is_gone(ledger):
    with_sorted, without = (ledger.total([*names, "median"]) for names in (["quantile"], []))
    assert with_sorted == 4.0 + 2.0 + 10.0 + 0.5 + 0.125
    assert without == 4.0 + 0.5 + 3.0


def test_what_is_needed_by_what_is_needed():
    seconds = {"skewness": 1.0, "mean": 1.0, "need:central": 5.0, "need:moments": 7.0}
    ledger = Ledger.of([("skewness", {}), ("mean", {})], {**seconds, "need:extremes": 0.0})
    assert ledger.saves("mean", ["skewness", "mean"]) == 1.0, "central needs moments itself"
    assert ledger.saves("skewness", ["skewness", "mean"]) == 1.0 + 5.0


def test_nothing_is_dropped_where_all_fits(settings):
    kept, dropped, seconds = settings.within_budget(frame(), seconds=100)
    assert (kept, dropped, seconds) == (settings, {}, sum(SECONDS.values()))


def test_the_dearest_goes_first(settings):
    found = settings.within_budget(frame(), seconds=17)
    assert found.dropped == {"quantile": 2.0}
    assert found.settings == Settings.from_any({n: v for n, v in SHARED.items() if n != "quantile"})
    assert found.seconds == sum(SECONDS.values()) - 2.0
    assert str(found) == "dropped: quantile (2 s); 16.9 s predicted for the rest"


def test_both_users_go_and_the_median_is_made_by_itself(settings):
    found = settings.within_budget(frame(), seconds=9)
    assert list(found.dropped) == ["quantile", "has_duplicate"]
    assert found.seconds == 4.0 + 0.5 + 3.0 + 0.25 + 1.0


def test_what_fits_again_is_put_back():
    """The two users of the spectrum free 8 s, so that the calculator that went first may stay."""
    names = {"fft_coefficient": [{"coeff": 1, "attr": "abs"}], "mean_change": None}
    both = {**names, "fft_aggregated": [{"aggtype": "skew"}]}
    costs = {
        "fft_coefficient": 0.5,
        "fft_aggregated": 0.5,
        "mean_change": 2.0,
        "need:spectrum": 7.0,
    }
    found = Settings.from_any(both).within_budget(costs, seconds=3)
    assert set(found.dropped) == {"fft_coefficient", "fft_aggregated"}
    assert found.seconds == 2.0


def test_the_seconds_of_a_run_will_do(settings):
    of_a_run = {name: value for name, value in SECONDS.items() if name != READING}
    found = settings.within_budget(of_a_run, seconds=1.5)
    assert found.settings == Settings.from_any({"mean": None})
    assert found.seconds == 1.25


def test_a_table_from_a_file_will_do(settings, tmp_path):
    frame().to_csv(tmp_path / "costs.csv", index=False)
    again = pd.read_csv(tmp_path / "costs.csv")
    assert settings.within_budget(again, seconds=9) == settings.within_budget(frame(), seconds=9)


def test_calculators_go_from_all_kinds():
    settings = Settings.from_any(SHARED, {"a": {"quantile": [{"q": 0.5}]}, "b": {"mean": None}})
    found = settings.within_budget(frame(), seconds=9)
    assert {name for name, _ in found.settings.default} == {"median", "mean"}
    assert found.settings.features_for("a") == []
    assert found.settings.features_for("b") == [("mean", {})]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", None])
def test_no_budget_is_no_budget(settings, seconds):
    with pytest.raises(ArgumentError, match="give a number above 0"):
        settings.within_budget(frame(), seconds=seconds)


def test_too_small_a_budget_says_what_the_least_is(settings):
    with pytest.raises(ArgumentError, match=r"'mean', the cheapest, takes 5\.25 s, of which 4 s"):
        settings.within_budget(frame(), seconds=5)


def test_costs_of_other_settings_are_refused(settings):
    with pytest.raises(ArgumentError, match="costs say nothing of 'has_duplicate', 'median'; meas"):
        settings.within_budget({"quantile": 1.0, "mean": 1.0}, seconds=1)
    with pytest.raises(ArgumentError, match="costs of type list cannot be used"):
        settings.within_budget([1, 2], seconds=1)


seconds_of = st.floats(0.0, 10.0).map(lambda value: round(value, 3))


@given(st.data())
def test_any_costs(data):
    chosen = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12, unique=True))
    features = [feature for feature in FEATURES if feature[0] in chosen]
    names = [*chosen, *(NEED + name for name in Program(features).intermediates), READING]
    costs = {name: data.draw(seconds_of) for name in names}
    settings, budget = Settings((*features,)), data.draw(st.floats(0.1, 60.0))
    try:
        found = settings.within_budget(costs, seconds=budget)
    except ArgumentError:
        ledger = Ledger.of(features, costs)
        assert min(ledger.total([name]) for name in chosen) > budget
        return
    assert found.seconds <= budget
    assert found.seconds == pytest.approx(slowly(found.settings.default, costs))
    assert {name for name, _ in found.settings.default} == set(chosen) - set(found.dropped)
    for name in found.dropped:
        kept = [one for one in features if one[0] == name or one[0] not in found.dropped]
        assert slowly(kept, costs) > budget - 1e-9, "nothing that fits is dropped"


def slowly(features, costs):
    """The costs by a program that is made of the features anew."""
    program = Program(features)
    total = costs[READING] + sum(costs[step.calculator.name] for step in program.steps)
    for name in program.intermediates:
        source = INTERMEDIATES[name].shortcut[0]
        cut = source and source not in program.intermediates and NEED + source in costs
        total += costs[NEED + name] + (costs[NEED + source] if cut else 0.0)
    return total
