"""Forms of settings: which one is given, and what is read from it and written to it."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pandas as pd
import pytest
import yaml

from tidemill.calculators.registry import preset
from tidemill.calculators.settings_formats import (
    COMBINERS,
    is_canonical,
    plain_features,
    read_features,
    unique,
    write_text,
    yaml_text,
)
from tidemill.calculators.table.build import ROWS
from tidemill.errors import ArgumentError, SettingsError
from tidemill.model.feature_names import feature_name

from .oracle import tsfresh


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ({"*": []}, True),
        ({"x": [["mean", {}]]}, True),
        ({"x": [["mean", {}]], "y": []}, True),
        ({"mean": None}, False),
        ({"quantile": [{"q": 0.5}]}, False),
        ({"mean": []}, False),
        ({}, False),
    ],
)
def test_the_canonical_form_is_told_by_its_pairs(given, canonical):
    assert is_canonical(given) == canonical


def test_all_forms_give_the_same_features():
    wanted = (("quantile", {"q": 0.5}), ("mean", {}))
    assert read_features({"quantile": [{"q": 0.5}], "mean": None}) == wanted
    assert read_features({"quantile": {"q": 0.5}, "mean": [{}]}) == wanted
    assert read_features([("quantile", {"q": 0.5}), ["mean", None]]) == wanted
    assert read_features("minimal") == preset("minimal")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "settings of type int cannot be used"),
        ({"quantile": 0.5}, "parameters 0.5 are not allowed"),
        (["mean"], "feature 'mean' is not a pair"),
        ([("mean", 3)], "is not a pair of a calculator and its parameters"),
    ],
)
def test_other_forms_are_refused(given, message):
    with pytest.raises(SettingsError, match=message):
        read_features(given)


def test_features_of_one_column_are_kept_once_in_the_first_place():
    features = [("quantile", {"q": 0.5}), ("mean", {}), ("quantile", {"q": 0.5})]
    assert unique(features) == (("quantile", {"q": 0.5}), ("mean", {}))


def test_what_json_lacks_is_written_as_text_and_read_back():
    features = (("range_count", {"max": math.inf, "min": -math.inf}),)
    plain = plain_features(features)
    assert plain == [["range_count", {"max": "inf", "min": "-inf"}]]
    assert read_features(plain) == features
    with pytest.raises(SettingsError, match="cannot be written as JSON"):
        plain_features([("mean", {"q": object()})])


def test_yaml_has_a_line_for_each_feature():
    canonical = {"*": plain_features(preset("efficient"))}
    text = yaml_text(canonical)
    assert len(text.splitlines()) == 1 + len(canonical["*"])
    assert yaml.safe_load(text) == canonical


def test_files_are_written_only_where_they_can_be_read_again(tmp_path):
    write_text("{}", tmp_path / "own.JSON", (".json",))
    assert (tmp_path / "own.JSON").read_text("utf-8") == "{}"
    with pytest.raises(ArgumentError, match=r"let it end in \.yaml or \.yml"):
        write_text("", tmp_path / "own.json", (".yaml", ".yml"))
    assert not (tmp_path / "own.json").exists()


def test_combiners_are_tsfreshs():
    found = {row.name for row in ROWS if getattr(tsfresh(), row.name).fctype == "combiner"}
    assert found == COMBINERS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_empty_list_of_parameters_gives_what_it_gives_in_tsfresh(row):
    function = getattr(tsfresh(), row.name)
    x = pd.Series(np.arange(9.0), pd.date_range("2026", periods=9))
    if function.fctype == "combiner":
        with contextlib.suppress(ValueError):  # some raise; all others give nothing
            assert not list(function(x, param=[]))
        assert not read_features({row.name: []})
    elif row.parameters:
        with pytest.raises(TypeError):
            function(x)
        with pytest.raises(SettingsError, match="needs a value"):
            read_features({row.name: []})
    else:
        assert read_features({row.name: []}) == read_features({row.name: None})
        assert read_features({row.name: []}) == ((row.name, {}),)


NUMPY = [np.float16(0.1), np.float32(0.1), np.float64(0.1), np.longdouble("0.1")]


@pytest.mark.parametrize("q", NUMPY, ids=lambda q: q.dtype.name)
def test_a_numpy_number_reads_as_it_is_written(q):
    (feature,) = read_features({"quantile": [{"q": q}]})
    assert feature == ("quantile", {"q": 0.1})
    assert type(feature[1]["q"]) is float
    assert feature_name("x", *feature) == "x__quantile__q_0.1"


def test_other_numpy_scalars_become_plain_too():
    given = {"f_agg": np.str_("mean"), "isabs": np.bool_(1), "ql": np.int64(0), "qh": np.uint8(1)}
    (feature,) = read_features({"change_quantiles": [given]})
    assert feature[1] == {"f_agg": "mean", "isabs": True, "ql": 0, "qh": 1}
    assert {type(value) for value in feature[1].values()} == {str, bool, int}
