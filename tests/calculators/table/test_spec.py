"""Parameters and calculators check what they are given, and encode it for kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tidemill.calculators.table.spec import Calculator, Parameter, load
from tidemill.errors import ParameterError, SettingsError

Q = Parameter("q", "float", minimum=0, maximum=1)
NAMES = Parameter("attr", "str", choices=("real", "imag", None))
QUERY = Parameter("query", "numbers", required=False)


@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        (Q, np.float32(0.5), 0.5),
        (Q, 1, 1),
        (Q, "0.25", 0.25),
        (Parameter("r", "float"), "inf", math.inf),
        (Parameter("lag", "int"), np.int64(3), 3),
        (Parameter("isabs", "bool"), True, True),
        (NAMES, None, None),
        (QUERY, np.array([1.0, 2.0]), (1.0, 2.0)),
        (QUERY, None, None),
    ],
)
def test_values_become_plain(parameter, value, wanted):
    found = parameter.check("some", value)
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        (Q, 1.5, "a number from 0 up to 1"),
        (Q, "half", "a number from 0 up to 1"),
        (Q, True, "a number from 0 up to 1"),
        (Parameter("lag", "int", minimum=0), 2.0, "a whole number from 0"),
        (Parameter("isabs", "bool"), 1, "True or False"),
        (NAMES, "abs", "one of 'real', 'imag', None"),
        (QUERY, (1.0, math.nan), "a sequence of finite numbers"),
        (QUERY, 3.0, "a sequence of finite numbers"),
    ],
)
def test_other_values_are_refused(parameter, value, allowed):
    with pytest.raises(ParameterError) as refused:
        parameter.check("some", value)
    assert str(refused.value).startswith(f"some: {parameter.name}=")
    assert str(refused.value).endswith(f"give {allowed}")


def test_choices_are_encoded_by_their_places():
    assert NAMES.encode([None, "real"]).tolist() == [2, 0]


def test_sequences_are_filled_up_to_the_longest():
    encoded = QUERY.encode([(1.0,), (2.0, 3.0), None])
    wanted = [1.0, math.nan, 2.0, 3.0, math.nan, math.nan]
    assert np.array_equal(encoded, wanted, equal_nan=True)


@pytest.mark.parametrize(("type_", "dtype"), [("float", "float64"), ("int", "int64")])
def test_numbers_have_the_element_type_of_their_parameter(type_, dtype):
    assert Parameter("p", type_).encode([1, 2]).dtype == dtype


def test_parameters_are_complete_and_in_the_order_of_their_names():
    filled = Parameter("w", "float", default=2.0, required=False, filled=True)
    row = Calculator("some", "", parameters=(Q, filled))
    assert list(row.check({"q": 0.5}).items()) == [("q", 0.5), ("w", 2.0)]
    with pytest.raises(SettingsError, match="some has no parameter 'p'; it takes q, w"):
        row.check({"q": 0.5, "p": 1})
    with pytest.raises(SettingsError, match="some needs a value for 'q'"):
        row.check({})


def test_a_member_has_to_be_one_of_the_others():
    widths = Parameter("widths", "numbers")
    row = Calculator(
        "some", "", parameters=(Parameter("w", "float"), widths), member=("w", "widths")
    )
    assert row.check({"w": 2, "widths": [2, 5]}) == {"w": 2, "widths": (2, 5)}
    with pytest.raises(SettingsError, match="w=3 is not allowed; give one of widths="):
        row.check({"w": 3, "widths": [2, 5]})


def test_names_are_relative_to_the_room():
    assert load("table.spec:Parameter") is Parameter
