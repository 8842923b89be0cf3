"""Policies are those that their types allow, and nothing else."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from tidemill.errors import ArgumentError
from tidemill.model.policies import OnDuplicate, OnError, OnNan, Policies

CHOICES = {"on_nan": OnNan, "on_duplicate": OnDuplicate, "on_error": OnError}


def test_all_combinations_of_allowed_values_are_policies():
    made = {Policies(*values) for values in product(*map(get_args, CHOICES.values()))}
    assert len(made) == 3 * 5 * 2


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["drop", "", None, True, "Raise"])
def test_other_values_are_refused_with_those_allowed(name, value):
    choices = ", ".join(map(repr, get_args(CHOICES[name])))
    message = f"{name}={value!r} is not allowed; choose one of {choices}"
    with pytest.raises(ArgumentError) as raised:
        Policies(**{name: value})
    assert str(raised.value) == message


def test_by_default_nothing_is_let_through():
    assert Policies() == Policies("raise", "raise", "raise")
