"""The table of parameters: every entry is complete, and its rule allows its own default."""

from __future__ import annotations

import re

import pytest

from tidemill.model.policies import OnError
from tidemill.planning.check_limits import CHECK_LIMITS
from tidemill.planning.parameters import PARAMETERS, REQUIRED, FlowParameter, Form

ALL = list(PARAMETERS.values())
GROUPS = [
    "Input", "Output", "Columns", "Files", "Features", "Intervals", "Policies", "Running", "Tables",
    "Target", "Choosing", "Results",
]  # fmt: skip


def fits(name, text):
    return bool(re.search(PARAMETERS[name].pattern.text, text))


@pytest.mark.parametrize("parameter", ALL, ids=lambda one: one.name)
def test_help_is_made_of_full_sentences(parameter):
    for text in filter(None, (parameter.help, parameter.short)):
        assert text[0].isupper() or text.startswith(("none", "minimal"))
        assert text.endswith(".")
        assert "  " not in text


@pytest.mark.parametrize("parameter", ALL, ids=lambda one: one.name)
def test_a_short_help_stands_where_the_command_has_an_option(parameter):
    assert bool(parameter.short) == (parameter.name not in {"source", "sink", "tables", "matrix"})
    assert len(parameter.short) < len(parameter.help) + 30


def test_headings_come_in_the_order_in_which_a_person_would_ask():
    assert list(dict.fromkeys(parameter.group for parameter in ALL)) == GROUPS


@pytest.mark.parametrize("parameter", ALL, ids=lambda one: one.name)
def test_a_default_keeps_to_the_rules(parameter):
    default = parameter.default
    if default is REQUIRED or default is None:
        return
    if parameter.choices:
        assert default in parameter.choices
    for rule in (form.rule for form in parameter.forms):
        assert "minimum" not in rule or default >= rule["minimum"]
        assert "exclusiveMinimum" not in rule or default > rule["exclusiveMinimum"]
    if parameter.pattern:
        assert fits(parameter.name, default)


@pytest.mark.parametrize("parameter", ALL, ids=lambda one: one.name)
def test_a_pattern_is_said_in_words(parameter):
    if parameter.pattern is None:
        return
    allowed = parameter.pattern.allowed
    assert not re.search(r"[\\^$|*]", allowed)
    assert "'" not in allowed  # it is shown in quotes
    assert parameter.pattern.rule["then"] == {"const": allowed}


def test_choices_are_those_of_the_literal_and_of_nothing_else():
    assert PARAMETERS["on_error"].choices == ("raise", "nan")
    assert PARAMETERS["settings"].choices == ()  # one of several forms
    assert PARAMETERS["sink"].choices == ()
    assert FlowParameter("x", "Input", (Form(OnError),), "X.").choices == ("raise", "nan")


def test_every_choice_is_explained_in_the_help():
    for parameter in ALL:
        assert all(choice in parameter.help for choice in parameter.choices), parameter.name


def test_flags_are_names_with_dashes_unless_given():
    assert PARAMETERS["column_id"].flag == "--column-id"
    assert PARAMETERS["storage_options"].flag == "--storage-option"
    assert len({parameter.flag for parameter in ALL}) == len(ALL)


def test_a_required_parameter_has_no_default():
    required = {parameter.name for parameter in ALL if parameter.is_required}
    assert required == {
        "source", "sink", "column_id", "column_time", "start", "end", "tables", "matrix", "target",
        "column_target",
    }  # fmt: skip
    assert repr(REQUIRED) == "REQUIRED"


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("every", "1h30min", True),
        ("every", "2d", True),
        ("every", "0h", False),
        ("every", "1d6h", False),  # local days and absolute hours
        ("lag", "0s", True),
        ("lag", "soon", False),
        ("timezone", "America/Argentina/Buenos_Aires", True),
        ("timezone", "Europe/", False),
        ("timezone", "Berlin", False),
        ("anchor", "6h", True),
        ("anchor", "2026-11-01T06:00", True),
        ("start", "20261101T060000Z", True),
        ("start", "2026-11-01", True),
        ("start", "yesterday", False),
        ("settings", "features.YAML", True),
        ("settings", "features.txt", False),
        ("cluster", "none", True),
        ("cluster", "threads:4", True),
        ("cluster", "threads:0", False),
        ("cluster", "tcp://host:8786", True),
        ("cluster", "tcp://host", False),
        ("cluster", "my/cluster.json", True),
    ],
)
def test_patterns_say_what_the_form_takes(name, text, allowed):
    assert fits(name, text) is allowed


@pytest.mark.parametrize(
    ("value", "allowed"),
    [("AWS_REGION", True), ("_TOKEN", True), ("region", False), ("AKIAABCDEFGHIJKLMNOP", False)],
)
def test_storage_options_name_variables_and_hold_no_secret(value, allowed):
    assert fits("storage_options", value) is allowed


def test_limits_of_all_checks_have_a_field_of_the_right_type():
    (form,) = PARAMETERS["checks"].forms
    assert list(form.rule["properties"]) == list(CHECK_LIMITS)
    assert form.rule["additionalProperties"] is False
    for name, rule in form.rule["properties"].items():
        mapping, off = rule["anyOf"]
        assert off["enum"] == ["off"]
        assert list(mapping["properties"]) == ["warn", "fail"]
        number = mapping["properties"]["fail"]["anyOf"][0]
        assert number["type"] == ("number" if CHECK_LIMITS[name].is_share else "integer")
        assert CHECK_LIMITS[name].summary in rule["description"]
        assert name in PARAMETERS["checks"].help
