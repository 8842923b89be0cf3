"""Calculators are found by name, and registered under names of their own."""

from __future__ import annotations

from functools import partial

import pytest

from tidemill.calculators import CALCULATORS, calculator, find, preset, register
from tidemill.calculators.registry import identities, register_function
from tidemill.calculators.table.spec import Calculator
from tidemill.errors import ArgumentError, SettingsError


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'quantile'"):
        find("quantil")
    with pytest.raises(SettingsError, match="see `tidemill features`"):
        find("zzzzzz")
    with pytest.raises(SettingsError, match=r"settings\.pop\('matrix_profile'\)"):
        find("matrix_profile")


@pytest.mark.parametrize("name", ["mean", "matrix_profile", "two__parts", "no name"])
def test_names_that_may_not_be_given(name):
    with pytest.raises(ArgumentError, match=f"name={name!r}"):
        register(Calculator(name, ""))
    assert CALCULATORS.get(name) is None or CALCULATORS[name].summary


def test_a_name_registered_again_belongs_to_the_last():
    for factor in (1, 2):
        calculator(name="own_of_registry", version=str(factor))(lambda values: values[0])
    assert find("own_of_registry").version == "2"


def test_presets_grow():
    sizes = [len(preset(name)) for name in ("minimal", "efficient", "comprehensive")]
    assert sizes == sorted(sizes)
    assert len(preset("efficient", times=True)) > len(preset("efficient"))
    assert preset("minimal", times=True) == preset("minimal")
    with pytest.raises(SettingsError, match="no preset is called 'maximal'"):
        preset("maximal")


def test_only_own_calculators_have_an_identity():
    for version in ("1", "2", "1"):
        calculator(name="dated_of_registry", version=version)(lambda values: values[0])
        found = identities(["dated_of_registry", "mean"])
        assert set(found) == {"dated_of_registry"}
        if version == "1":
            first = found
        else:
            assert found != first
    assert found == first


def test_a_function_as_a_key_is_registered_once():
    def of_registry(values):
        return 1.0

    assert register_function(of_registry) is register_function(of_registry)
    with pytest.raises(ArgumentError, match="has no name"):
        register_function(partial(of_registry))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"needs": ("values",)}, "needs=.* is not allowed"), ({"version": ""}, "version='' is not")],
)
def test_options_are_checked(options, message):
    with pytest.raises(ArgumentError, match=message):
        calculator(**options)(lambda values: values[0])
