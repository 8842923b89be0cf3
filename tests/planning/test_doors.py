"""Doors name groups of the table: order, completion, and the least values of numbers."""

from __future__ import annotations

import math

import pytest

from tidemill.errors import ArgumentError
from tidemill.planning.doors import (
    BACKFILL,
    COSTS,
    EXTRACT,
    EXTRACT_INTERVAL,
    FLOW_DOORS,
    GROUPS,
    Door,
    check_number,
)
from tidemill.planning.parameters import PARAMETERS

EVERY_DOOR = [*FLOW_DOORS.values(), COSTS]
#: All parameters whose rule has a least value, so that a new one is tested without being named.
LEAST = {
    name: one.forms[0].rule["minimum"] for name, one in PARAMETERS.items()
    if "minimum" in one.forms[0].rule
}  # fmt: skip
ABOVE = {
    name: one.forms[0].rule["exclusiveMinimum"] for name, one in PARAMETERS.items()
    if "exclusiveMinimum" in one.forms[0].rule
}  # fmt: skip
MINIMAL = {"source": "in", "sink": "out", "column_id": "id"}


def test_every_parameter_belongs_to_one_group_and_every_group_to_a_door():
    grouped = [name for group in GROUPS.values() for name in group]
    assert sorted(grouped) == sorted(PARAMETERS)
    assert set(GROUPS) == {group for door in FLOW_DOORS.values() for group in door.groups}


@pytest.mark.parametrize("door", EVERY_DOOR, ids=lambda door: door.name)
def test_groups_of_a_door_come_in_the_order_of_the_table(door):
    order = list(GROUPS)
    places = [order.index(group) for group in door.groups]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("door", EVERY_DOOR, ids=lambda door: door.name)
def test_required_parameters_come_first_and_the_others_keep_their_order(door):
    listed = [name for group in door.groups for name in GROUPS[group]]
    required = [name for name in listed if PARAMETERS[name].is_required]
    others = [name for name in listed if not PARAMETERS[name].is_required]
    assert [one.name for one in door] == [*required, *others]
    assert all(name in door for name in listed)
    assert not any(name in door for name in PARAMETERS.keys() - set(listed))


@pytest.mark.parametrize("door", FLOW_DOORS.values(), ids=lambda door: door.name)
def test_what_a_door_says_differently_is_about_its_own_parameters(door):
    for name in {*door.defaults, *door.helps}:
        assert name in door, name
    own = {one.name: one for one in door}
    for name, parameter in own.items():
        assert parameter.default == door.defaults.get(name, PARAMETERS[name].default)
        assert parameter.help == door.helps.get(name, PARAMETERS[name].help)
        assert parameter.help.endswith(".")
        assert door.defaults.get(name, "") != PARAMETERS[name].default
        assert door.helps.get(name, "") != PARAMETERS[name].help


def test_tables_are_lenient_and_one_extraction_is_strict():
    strict, lenient = EXTRACT.complete(MINIMAL), {}
    for door in (EXTRACT_INTERVAL, BACKFILL):
        span = {"start": "2026-11-01", "end": "2026-11-02"} if door is BACKFILL else {}
        lenient = door.complete({**MINIMAL, "column_time": "time", **span})
        assert (lenient["on_nan"], lenient["on_error"]) == ("quarantine", "nan")
        assert lenient["wait_for_sink"] == 3600.0
    assert (strict["on_nan"], strict["on_error"], strict["wait_for_sink"]) == ("raise", "raise", 0)


def test_values_are_completed_in_the_order_of_the_door_and_kept_as_given():
    given = {"cluster": None, **MINIMAL}
    values = EXTRACT.complete(given)
    assert list(values) == [one.name for one in EXTRACT]
    assert {name: values[name] for name in given} == given
    assert values["settings"] == "comprehensive"


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(TypeError, match=r"extract has no parameter 'every'; it has \['source', 's"):
        EXTRACT.complete({**MINIMAL, "lag": "1h", "every": "1d"})


@pytest.mark.parametrize("name", ["source", "sink", "column_id"])
def test_a_missing_required_value_is_named(name):
    given = {one: value for one, value in MINIMAL.items() if one != name}
    with pytest.raises(TypeError, match=f"extract needs a value for '{name}'"):
        EXTRACT.complete(given)


def test_a_parameter_of_an_unknown_group_cannot_be_listed():
    with pytest.raises(KeyError, match="nothing"):
        list(Door("none", ("nothing",)))


# Numbers


def test_numbers_have_least_values():
    numbers = {name for name, one in PARAMETERS.items() if one.forms[0].type in {int, float}}
    assert numbers == LEAST.keys() | ABOVE.keys()


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_the_least_value_is_allowed_and_nothing_below(name, least):
    check_number(name, least)
    check_number(name, least + 1)
    with pytest.raises(ArgumentError, match=f"^{name}=-?[0-9.]+ is not allowed; give {least} or"):
        check_number(name, least - 0.5)


@pytest.mark.parametrize(("name", "above"), ABOVE.items())
def test_an_excluded_minimum_is_refused(name, above):
    check_number(name, math.nextafter(above, math.inf))
    with pytest.raises(ArgumentError, match=f"^{name}={above} .*give a number above {above}$"):
        check_number(name, above)


@pytest.mark.parametrize("name", [*LEAST, *ABOVE])
@pytest.mark.parametrize("value", ["7", True, math.nan, [1]])
def test_what_is_no_number_is_refused(value, name):
    with pytest.raises(ArgumentError, match=f"^{name}="):
        check_number(name, value)


@pytest.mark.parametrize("name", [*LEAST, *ABOVE])
def test_none_stands_for_the_default_only_where_that_is_none(name):
    if PARAMETERS[name].default is None:
        check_number(name, None)
    else:
        with pytest.raises(ArgumentError, match=f"^{name}=None"):
            check_number(name, None)


def test_parameters_without_a_number_are_not_checked():
    for name in ("sink", "settings", "dry_run", "on_nan"):
        check_number(name, -1)
