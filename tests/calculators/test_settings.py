"""Settings from every form people give them in."""

from __future__ import annotations

import json
import pickle
import warnings
from collections import UserDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.calculators import preset
from tidemill.calculators import settings as module
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, SettingsError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tsfresh.feature_extraction import feature_calculators
    from tsfresh.feature_extraction import settings as theirs

QUANTILES = {"quantile": [{"q": 0.1}, {"q": 0.9}], "mean": None}


def test_none_is_comprehensive():
    assert Settings.from_any(None).features_for("x") == list(preset("comprehensive"))


@pytest.mark.parametrize("name", ["minimal", "efficient", "comprehensive"])
def test_presets_by_name(name):
    assert Settings.from_any(name).features_for("x") == list(preset(name))


PRESETS = {
    "minimal": theirs.MinimalFCParameters,
    "efficient": theirs.EfficientFCParameters,
    "comprehensive": theirs.ComprehensiveFCParameters,
}


def _without_matrix_profile(settings):
    """tsfresh adds it where another package is installed."""
    settings.pop("matrix_profile", None)
    return settings


@pytest.mark.parametrize("form", [lambda settings: settings, dict], ids=["object", "dict"])
@pytest.mark.parametrize("name", PRESETS)
def test_tsfresh_settings_objects(name, form):
    given = form(_without_matrix_profile(PRESETS[name]()))
    assert Settings.from_any(given).features_for("x") == list(preset(name, times=True))


@pytest.mark.parametrize("name", PRESETS)
def test_tsfresh_settings_objects_survive_files(name, tmp_path):
    settings = Settings.from_any(_without_matrix_profile(PRESETS[name]()))
    settings.to_yaml(tmp_path / "settings.yaml")
    settings.to_json(tmp_path / "settings.json")
    assert Settings.from_any(tmp_path / "settings.yaml") == settings
    assert Settings.from_any(tmp_path / "settings.json") == settings


def test_matrix_profile_is_refused_with_the_remedy():
    given = theirs.ComprehensiveFCParameters()
    given["matrix_profile"] = [{"threshold": 0.98, "feature": "min"}]
    with pytest.raises(SettingsError, match=r"settings\.pop\('matrix_profile'\)"):
        Settings.from_any(given)
    given.pop("matrix_profile")
    assert Settings.from_any(given)


def test_tsfresh_functions_as_keys_mean_the_calculator_of_that_name():
    settings = Settings.from_any(UserDict({feature_calculators.quantile: [{"q": 0.5}]}))
    assert settings.features_for("x") == [("quantile", {"q": 0.5})]


def test_one_mapping_of_parameters_will_do():
    assert Settings.from_any({"quantile": {"q": 0.5}}).columns("x") == ("x__quantile__q_0.5",)


def test_settings_pass_through():
    settings = Settings.from_any(QUANTILES)
    assert Settings.from_any(settings) is settings


def test_settings_can_be_pickled():
    settings = Settings.from_any("minimal", {"a": QUANTILES})
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301


def test_kinds_of_their_own():
    settings = Settings.from_any("minimal", {"a": QUANTILES, "b": "minimal", "c": {}})
    assert len(settings.features_for("a")) == 3
    assert len(settings.features_for("other")) == 10
    assert settings.features_for("c") == []


def test_without_a_default_other_kinds_get_nothing():
    settings = Settings.from_any(None, {"a": QUANTILES})
    assert settings.features_for("b") == []
    assert settings.columns(["a", "b"])[-1] == "a__mean"


def test_canonical_forgets_the_order_of_parameters_only():
    one = Settings.from_any({"range_count": [{"min": 0, "max": 1}], "mean": None})
    two = Settings.from_any({"range_count": [{"max": 1, "min": 0}], "mean": None})
    three = Settings.from_any({"mean": None, "range_count": [{"max": 1, "min": 0}]})
    assert one.to_json() == two.to_json() != three.to_json()


def test_numpy_numbers_become_plain():
    given_numbers = {"quantile": [{"q": np.float64(0.5)}], "number_peaks": [{"n": np.int64(3)}]}
    settings = Settings.from_any(given_numbers)
    assert settings.columns(["x"]) == ("x__quantile__q_0.5", "x__number_peaks__n_3")
    assert settings.to_json().count("0.5") == 1


def test_repetitions_are_dropped_as_in_tsfresh():
    features = Settings.from_any({"quantile": [{"q": 0.5}, {"q": 0.5}]}).features_for("x")
    assert features == [("quantile", {"q": 0.5})]


@given(
    st.lists(st.sampled_from(preset("comprehensive", times=True)), min_size=1, max_size=9),
    st.dictionaries(
        st.text("abc", min_size=1, max_size=2),
        st.lists(st.sampled_from(preset("comprehensive")), min_size=1, max_size=4),
        max_size=2,
    ),
)
def test_round_trips(features, kinds):
    settings = Settings.from_any({"*": features, **kinds})
    assert Settings.from_any(settings.canonical()) == settings
    assert Settings.from_json(settings.to_json()) == settings
    assert Settings.from_yaml(settings.to_yaml()) == settings
    columns = settings.columns([*kinds, "z"])
    assert Settings.from_columns(columns).columns([*kinds, "z"]) == columns


@pytest.mark.parametrize("ending", ["json", "yaml", "yml"])
def test_files(tmp_path: Path, ending):
    settings = Settings.from_any(QUANTILES)
    path = tmp_path / f"settings.{ending}"
    path.write_text(settings.to_json() if ending == "json" else settings.to_yaml(), "utf-8")
    assert Settings.from_any(path) == Settings.from_any(str(path)) == settings


def test_a_file_in_tsfresh_form(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("quantile:\n- q: 0.1\n- q: 0.9\nmean:\n", "utf-8")
    assert Settings.from_any(path) == Settings.from_any(QUANTILES)


NOT_FINITE = {
    "range_count": [{"min": float("-inf"), "max": 0}, {"min": 0, "max": float("inf")}],
    "value_count": [{"value": float("nan")}],
}


def test_numbers_that_are_not_finite_survive_files():
    settings = Settings.from_any(NOT_FINITE)
    columns = settings.columns(["x"])
    assert columns[0] == "x__range_count__max_0__min_-inf"
    assert columns[2] == "x__value_count__value_nan"
    for again in (
        Settings.from_json(settings.to_json()),
        Settings.from_yaml(settings.to_yaml()),
        Settings.from_any(settings.canonical()),
        Settings.from_columns(columns),
    ):
        assert again.columns(["x"]) == columns
        values = [value for _, params in again.features_for("x") for value in params.values()]
        assert all(isinstance(value, int | float) for value in values)


def test_the_canonical_form_is_json_that_every_parser_reads():
    json.dumps(Settings.from_any(NOT_FINITE).canonical(), allow_nan=False)


def test_numbers_as_yaml_and_people_write_them():
    settings = Settings.from_yaml("range_count:\n- {min: -1e12, max: .inf}\n")
    assert settings.features_for("x") == [("range_count", {"max": float("inf"), "min": -1e12})]


QUERY = (0, 1.5, -2.0)


@pytest.mark.parametrize("query", [list(QUERY), QUERY, np.array(QUERY), np.array([0, 1, 5])])
def test_a_query_has_one_name_however_it_is_given(query):
    settings = Settings.from_any({"query_similarity_count": [{"query": query, "threshold": 1.0}]})
    (column,) = settings.columns(["x"])
    plain = QUERY if isinstance(query, list | tuple) else tuple(query.tolist())
    assert column == f"x__query_similarity_count__query_{plain}__threshold_1.0"
    for again in (
        Settings.from_json(settings.to_json()),
        Settings.from_yaml(settings.to_yaml()),
        Settings.from_columns([column]),
    ):
        assert again.columns(["x"]) == (column,)
        assert isinstance(again.features_for("x")[0][1]["query"], tuple)


@pytest.mark.parametrize("query", ["012", [1, "2"], [True, False], [float("nan")], [[1, 2]], 3])
def test_what_is_no_query_is_refused(query):
    with pytest.raises(SettingsError, match="give a sequence of finite numbers"):
        Settings.from_any({"query_similarity_count": [{"query": query, "threshold": 1.0}]})


def test_a_name_of_tsfresh_with_a_list_is_understood():
    settings = Settings.from_columns(["x__query_similarity_count__query_[0, 1]__threshold_0.0"])
    assert settings.features_for("x")[0][1]["query"] == (0, 1)


def test_a_default_that_tsfresh_names_is_named():
    column = 'x__augmented_dickey_fuller__attr_"pvalue"__autolag_"AIC"'
    for attr in ({"attr": "pvalue"}, {"autolag": "AIC", "attr": "pvalue"}):
        settings = Settings.from_any({"augmented_dickey_fuller": [attr]})
        assert settings.columns(["x"]) == (column,)
    assert Settings.from_columns([column]).columns(["x"]) == (column,)
    assert column in Settings.from_any("efficient").columns(["x"])


def test_a_default_that_tsfresh_does_not_name_is_not():
    settings = Settings.from_any({"query_similarity_count": [{"query": None, "threshold": 0.0}]})
    assert settings.columns(["x"]) == ("x__query_similarity_count__query_None__threshold_0.0",)


def test_files_say_by_their_ending_what_they_are(tmp_path):
    settings = Settings.from_any("minimal")
    with pytest.raises(ArgumentError, match=r"let it end in \.yaml or \.yml"):
        settings.to_yaml(tmp_path / "settings.json")
    with pytest.raises(ArgumentError, match=r"let it end in \.json"):
        settings.to_json(tmp_path / "settings")
    assert list(tmp_path.iterdir()) == []


def test_chosen_columns_make_a_settings_file(tmp_path):
    chosen = ["x__quantile__q_0.1", 'y__linear_trend__attr_"slope"', "x__mean"]
    text = Settings.from_columns(chosen).to_yaml(tmp_path / "chosen.yml")
    assert (tmp_path / "chosen.yml").read_text("utf-8") == text
    assert text.splitlines() == [
        "x:",
        "- [quantile, {q: 0.1}]",
        "- [mean, {}]",
        "y:",
        "- [linear_trend, {attr: slope}]",
    ]
    again = Settings.from_any(tmp_path / "chosen.yml")
    assert sorted(again.columns(["x", "y"])) == sorted(chosen)


def test_kinds_without_features_survive_files():
    settings = Settings.from_any(None, {"a": QUANTILES, "b": {}})
    assert Settings.from_json(settings.to_json()) == settings
    assert Settings.from_yaml(settings.to_yaml()) == settings


def test_columns_can_be_left_out():
    settings = Settings.from_columns(["x__mean", "target"], ignore=["target"])
    assert settings.columns(["x"]) == ("x__mean",)


def test_times():
    settings = Settings.from_any({"linear_trend_timewise": [{"attr": "slope"}], "mean": None})
    assert settings.needs_times(["x"])
    assert not Settings.from_any({"mean": None}).needs_times(["x"])


def test_times_are_needed_for_the_kinds_that_ask_for_them_only():
    settings = Settings.from_any(
        {"mean": None}, {"a": {"linear_trend_timewise": [{"attr": "slope"}]}}
    )
    assert settings.needs_times(["x", "a"])
    assert not settings.needs_times(["x"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("minimum", "neither a preset .* nor a file"),
        ("missing.yaml", "cannot be read"),
        ({"quantil": [{"q": 0.5}]}, "no calculator is called 'quantil'; did you mean 'quantile'"),
        ({"quantile": None}, "quantile needs a value for 'q', as in {'q': 0.1}"),
        ({"quantile": [{"r": 0.5}]}, "quantile has no parameter 'r'; it takes q"),
        ({"quantile": [{"q": 1.5}]}, "quantile: q=1.5 is not allowed; give a number from 0 up to"),
        ({"quantile": [{"q": float("nan")}]}, "is not allowed"),
        ({"quantile": [{"q": "half"}]}, "q='half' is not allowed"),
        ({"quantile": [{"q": True}]}, "q=True is not allowed"),
        ({"number_peaks": [{"n": 1.5}]}, "n=1.5 is not allowed; give a whole number from 1"),
        ({"cid_ce": [{"normalize": 1}]}, "normalize=1 is not allowed; give True or False"),
        (
            {"linear_trend": [{"attr": "r"}]},
            "give one of 'intercept', 'pvalue', 'rvalue', 'slope', 'stderr'",
        ),
        ({"quantile": 0.5}, "give a list with one mapping per feature"),
        ({"matrix_profile": None}, "'matrix_profile' is left out"),
        ({}, "select no feature"),
        ({"*": []}, "select no feature"),
        ({"*": [["mean"]]}, "not a pair"),
        (17, "settings of type int cannot be used"),
    ],
)
def test_wrong_settings_say_what_is_allowed(given, message):
    with pytest.raises(SettingsError, match=message):
        Settings.from_any(given)


@pytest.mark.parametrize("text", ["{", "[1]", '"tiny"', "17"])
def test_texts_that_are_no_settings(text):
    with pytest.raises(SettingsError):
        Settings.from_json(text)
    with pytest.raises(SettingsError):
        Settings.from_yaml(text)


def test_kinds_are_checked():
    with pytest.raises(ArgumentError, match="contains '__'"):
        Settings.from_any("minimal", {"a__b": "minimal"})
    with pytest.raises(ArgumentError, match="contains '__'"):
        Settings.from_any("minimal").columns(["a__b"])
    with pytest.raises(SettingsError, match="given for kind 'a', which the input does not have"):
        Settings.from_any("minimal", {"a": "minimal"}).columns(["b"])
    with pytest.raises(SettingsError, match="no feature for the kinds 'b'"):
        Settings.from_any("minimal", {"b": {}}).columns(["b"])


def test_too_many_columns_are_refused():
    kinds = [f"k{i}" for i in range(25_001)]
    with pytest.raises(ArgumentError, match="250,010 columns"):
        Settings.from_any("minimal").columns(kinds)


def test_columns_are_named_once(monkeypatch):
    named = []
    make = module.feature_name
    monkeypatch.setattr(module, "feature_name", lambda *one: named.append(one) or make(*one))
    settings = Settings.from_any("minimal", {"y": {"mean": None}})
    first = settings.columns(["x", "y", "z"])
    assert settings.columns(["x", "y", "z"]) == first
    assert len(named) == len(settings.default) + 1
    assert first == tuple(
        make(kind, *one) for kind in ("x", "y", "z") for one in settings.features_for(kind)
    )


def test_a_kind_with_a_quote_survives_its_columns():
    settings = Settings.from_any({"mean": None, "fft_coefficient": [{"attr": "abs", "coeff": 1}]})
    columns = settings.columns(['6" pipe', '8" pipe'])
    again = Settings.from_columns(columns)
    assert list(again.kinds) == ['6" pipe', '8" pipe']
    assert again.columns(again.kinds) == columns
