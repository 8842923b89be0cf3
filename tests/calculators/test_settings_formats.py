"""Forms of settings: which one is given, and what is read from it and written to it."""

from __future__ import annotations

import math

import pytest
import yaml

from tidemill.calculators.registry import preset
from tidemill.calculators.settings_formats import (
    is_canonical,
    plain_features,
    read_features,
    unique,
    write_text,
    yaml_text,
)
from tidemill.errors import ArgumentError, SettingsError


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
