"""What features become is made once, and shared by whatever is the same."""

from __future__ import annotations

import pytest

from tidemill.calculators import Program, calculator, preset, recipe
from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.recipe import Recipe, compile_jobs
from tidemill.calculators.settings import Settings
from tidemill.errors import SettingsError
from tidemill.model.feature_names import feature_name


@pytest.fixture
def made(monkeypatch):
    """The features of which recipes are made, from an empty cache on."""
    seen = []
    make = recipe._make_recipe
    monkeypatch.setattr(recipe, "_make_recipe", lambda one: seen.append(one) or make(one))
    recipe._shared_recipe.cache_clear()
    return seen


def test_one_recipe_for_all_programs_of_the_same_features(made):
    settings = Settings.from_any("comprehensive")
    plain = [(name, dict(params)) for name, params in preset("comprehensive")]
    shared = MatrixCalculator({kind: settings.features_for(kind) for kind in ("x", "y")})
    assert len(set(shared.programs.values())) == 1
    assert Program(plain).recipe is Program(settings.default, "nan").recipe
    assert len(made) == 1
    Program([("mean", {})])
    assert len(made) == 2


def test_equal_numbers_of_two_types_have_columns_of_their_own():
    whole, broken = ([("quantile", {"q": q})] for q in (1, 1.0))
    assert whole == broken
    calculator = MatrixCalculator({"a": whole, "b": broken})
    assert calculator.columns == ("a__quantile__q_1", "b__quantile__q_1.0")


def test_a_calculator_that_is_replaced_gets_a_recipe_of_its_own():
    def own(factor):
        return calculator(name="own_of_recipe", version="1")(lambda values: factor * len(values))

    own(1)
    first = Recipe.of([("own_of_recipe", {})])
    assert Recipe.of([("own_of_recipe", {})]) is first
    own(2)
    second = Recipe.of([("own_of_recipe", {})])
    assert second.steps[0].calculator is not first.steps[0].calculator


def test_values_that_do_not_show_what_they_hold_are_not_shared():
    @calculator(version="1")
    def sized_of_recipe(values, what):
        return float(len(what))

    features = [("sized_of_recipe", {"what": [1, 2]})]
    assert Recipe.of(features) is not Recipe.of(features)


def test_places_of_steps_and_picks_are_those_of_the_columns():
    features = [("quantile", {"q": 0.1}), ("mean", {}), ("quantile", {"q": 0.9}), ("median", {})]
    found = Recipe.of(features)
    assert found.columns == tuple(feature_name(None, *feature) for feature in features)
    places = {step.calculator.name: step.places for step in found.steps}
    assert places == {"quantile": (0, 2), "mean": (1,), "median": (3,)}
    assert [step.contiguous for step in found.steps] == [False, True, True]
    assert {pick.need: [place for _, place, _ in pick.triples] for pick in found.picks} == {
        "moments": [1],
        "median": [3],
    }


def test_intermediates_come_after_what_they_need():
    order = Recipe.of([("kurtosis", {}), ("mean", {}), ("quantile", {"q": 0.5})]).intermediates
    assert order.index("moments") < order.index("central")
    assert "sorted" in order


def test_lags_reach_as_far_as_any_parameter_asks():
    assert Recipe.of([("autocorrelation", {"lag": lag}) for lag in (3, 17, 5)]).lags == 17
    assert Recipe.of([("mean", {})]).lags == 0


def test_times_are_needed_if_a_calculator_looks_at_them():
    assert Recipe.of([("linear_trend_timewise", {"attr": "slope"})]).needs_times
    assert not Recipe.of([("linear_trend", {"attr": "slope"})]).needs_times


def test_a_kernel_is_listed_once_for_its_types():
    jobs = compile_jobs(Recipe.of([("quantile", {"q": 0.1}), ("quantile", {"q": 0.9})]))
    assert len(jobs) == len(set(jobs))
    assert [job.parameters for job in jobs if job.path == "kernels.quantiles:quantile"] == [
        ("float64",)
    ]


def test_unknown_names_and_parameters_are_refused():
    with pytest.raises(SettingsError, match="no calculator is called"):
        Recipe.of([("means", {})])
    with pytest.raises(SettingsError, match="mean has no parameter 'q'"):
        Recipe.of([("mean", {"q": 1})])
