"""The run form: every parameter of a deployed flow is described, its rules are said and kept."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import available_timezones

import click
import pyarrow as pa
import pytest
from click.testing import CliRunner
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.validation import build_error_obj

from tidemill.calculators.settings import Settings
from tidemill.cli.main import cli
from tidemill.cli.options import takes_options
from tidemill.errors import ArgumentError, InputError
from tidemill.execution.clean import parse_keep
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.flows.retention import retention
from tidemill.flows.select_features import select
from tidemill.model.durations import parse_duration
from tidemill.model.source import Reading
from tidemill.orchestration.cluster import parse_cluster
from tidemill.orchestration.deploy.project_file import project_file, read_project
from tidemill.orchestration.parameter_form import parameter_form
from tidemill.orchestration.parameters import docstring_of, signature_of
from tidemill.planning import doors
from tidemill.planning.check_limits import CHECK_LIMITS, parse_checks
from tidemill.planning.doors import DOORS
from tidemill.planning.parameters import PARAMETERS, FlowParameter, Form
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import find_interval
from tidemill.selection.table_request import selection_request
from tidemill.sources.files.given_times import time_type
from tidemill.sources.files.path_columns import PathPattern
from tidemill.storage.matrix_columns import parse_intervals
from tidemill.storage.options import check_options

FLOWS = {flow.name: flow for flow in (extract, extract_interval, backfill, retention, select)}
form = cache(parameter_form)
FIELDS = [
    pytest.param(flow, name, id=f"{flow.name}-{name}")
    for flow in FLOWS.values()
    for name in form(flow)["properties"]
]
each_field = pytest.mark.parametrize(("flow", "name"), FIELDS)

#: What a description has to say about a keyword of the schema.
SAYINGS = {
    "minimum": {0: "0 or more", 1: "1 or more"},
    "exclusiveMinimum": {0: "above 0"},
    "maximum": {100_000: "at most 100000", 1: "at most 1"},
    "exclusiveMaximum": {1: "below 1"},
    "maxLength": {1: "one character"},
    "const": {"interval": "interval: those of each interval"},
}
#: Texts that are long enough without a rule: an empty one is no path and no name.
OBVIOUS = {"minLength", "minItems"}
PLAIN = {
    "type", "title", "description", "default", "position", "anyOf", "items", "properties", "enum",
    "if", "then", "additionalProperties",
}  # fmt: skip


def schemas(schema: Any) -> list[dict[str, Any]]:
    """A schema and all that are in it."""
    inner = [*schema.get("anyOf", ()), *schema.get("properties", {}).values()]
    inner += [schema[key] for key in ("items", "additionalProperties") if schema.get(key)]
    found = [deep for one in inner if isinstance(one, dict) for deep in schemas(one)]
    return [schema, *found]


def refused(name: str, value: Any) -> bool:
    """Whether the form refuses a value, in every flow that has the parameter."""
    answers = {
        bool(validate({name: value}, form(flow), ignore_required=True))
        for flow in FLOWS.values()
        if name in form(flow)["properties"]
    }
    assert len(answers) == 1, "the flows differ"
    return answers.pop()


def test_these_are_the_flows_of_the_deployments():
    entrypoints = {one.entrypoint for one in read_project(project_file()).deployments}
    found = [entrypoint.rpartition(".") for entrypoint in entrypoints]
    flows = {getattr(import_module(module), name) for module, _, name in found}
    assert flows == {*FLOWS.values()} - {select}  # whose target only its user has


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_every_door_is_made_from_the_table(door):
    """Signature, docstring, form, command and request name the same parameters, in one order."""
    flow, names = FLOWS[door.name], [one.name for one in door]
    defaults = {one.name: one.default for one in door if not one.is_required}
    signature = inspect.signature(flow.fn).parameters
    assert list(signature) == names
    assert {n: p.default for n, p in signature.items() if p.default is not p.empty} == defaults
    fields = form(flow)["properties"]
    assert sorted(fields, key=lambda name: fields[name]["position"]) == names
    assert {name: fields[name]["default"] for name in defaults} == defaults
    for one in door:
        said = " ".join(fields[one.name]["description"].split())
        assert said == one.described
        assert said.startswith(f"{one.group}. {one.help}")
        assert one.is_required or one.default is not None or "Default:" in said
        assert said in " ".join(flow.fn.__doc__.split())
    options = {option.name: option for option in cli.commands[door.name].params}
    assert set(names) == options.keys() - {"as_json", "debug", "log_format", "verbose"}
    for name, option in options.items():
        if defaults.get(name) is not None and not option.is_flag:
            assert option.default == defaults[name]
    given = door.complete({one.name: "x" for one in door if one.is_required})
    assert list(given) == names


def test_a_parameter_that_is_added_to_a_group_appears_at_every_door_of_the_group(monkeypatch):
    added = FlowParameter(
        "colour", "Running", (Form(str),), "Which colour.", "blue", short="Colour."
    )
    monkeypatch.setattr(doors, "PARAMETERS", {**doors.PARAMETERS, "colour": added})
    groups = {**doors.GROUPS, "cluster": ("cluster", "colour")}
    monkeypatch.setattr(doors, "GROUPS", groups)
    for door in (one for one in DOORS.values() if "cluster" in one.groups):
        assert signature_of(door).parameters["colour"].default == "blue"
        assert "colour: Running. Which colour." in docstring_of(door, "A flow.")
        command = takes_options(door)(click.command()(lambda **_: None))
        assert any("--colour" in option.opts for option in command.params)


@each_field
def test_a_field_has_a_description_that_ends_and_a_default_unless_it_is_required(flow, name):
    field = form(flow)["properties"][name]
    assert field["description"].endswith((".", "}}."))
    assert ("default" in field) != (name in form(flow)["required"])


@each_field
def test_a_choice_is_a_list_whose_values_are_in_the_description(flow, name):
    hint = get_type_hints(flow.fn)[name]
    enums = [one["enum"] for one in schemas(form(flow)["properties"][name]) if "enum" in one]
    if get_origin(hint) is Literal:
        assert enums == [list(get_args(hint))]
    for value in {value for enum in enums for value in enum}:
        assert value in form(flow)["properties"][name]["description"]


@each_field
def test_the_rules_are_in_the_description(flow, name):
    field = form(flow)["properties"][name]
    for schema in schemas(field):
        assert set(schema) <= PLAIN | OBVIOUS | set(SAYINGS)
        for keyword in SAYINGS.keys() & schema:
            assert SAYINGS[keyword][schema[keyword]] in " ".join(field["description"].split())


def about_files(read: Callable[[str], Any]) -> Callable[[str], None]:
    """Let files be missing: no form can know that."""

    def tolerant(text: str) -> None:
        try:
            read(text)
        except InputError as error:
            if "cannot be read" not in str(error):
                raise

    return tolerant


SELECTION = {"matrix": "pumps", "target": "worn.csv", "column_target": "worn"}


#: Of each parameter with a pattern: who reads it, what is taken, and what is not.
PATTERNS = {
    "report_url": (
        lambda value: make_request("in.csv", "out", column_id="id", report_url=value),
        ["https://reports.example.org/pumps", "http://localhost:8000", "http://10.0.0.1/a/b/"],
        ["", "reports", "/srv/reports", "ftp://a/b", "https://", "https://me:pw@example.org/x",
         "https://a/b?c=d", "https://a/b#c", "https://a/b c", "javascript:alert(1)"],
    ),
    "every": (
        Calendar,
        ["1d", "1w", "1h", "15min", "1h30min", " 2 D ", "90S", "1000ms", "1.5h"],
        ["", "1", "d", "1 day", "0h", "0s", "-1h", "1.5d", "1d12h", "1h,30min", "1y"],
    ),
    "window": (
        lambda value: Calendar("1d", window=value),
        ["7d", "36h", "1h30min"],
        ["", "0d", "month", "1d6h", "7"],
    ),
    "lag": (
        lambda value: Calendar("1d", lag=value),
        ["0s", "5min", "2h", "1d6h", "0.5h"],
        ["", "5", "-5min", "soon"],
    ),
    "timezone": (
        lambda value: Calendar("1d", value),
        ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3", "Asia/Tokyo"],
        ["", "Europe/", "/UTC", "../UTC", "Central European Time", "Europe\\Berlin", "Berlin"],
    ),
    "input_timezone": (
        lambda value: time_type(pa.array([], pa.string()), "", Reading(input_timezone=value)),
        ["UTC", "Europe/Berlin", "Asia/Tokyo"],
        ["", "Europe/", "Central European Time", "Berlin"],
    ),
    "id_from_path": (
        PathPattern,
        ["{site}/{id}.csv", "{id}.parquet", "run_{run}_{id}.csv"],
        ["", "id.csv", "{}.csv"],
    ),
    "keep": (
        parse_keep,
        ["30d", "1w", "12h", "1d12h", "90min"],
        ["", "0d", "30", "a month", "-1d", "1y"],
    ),
    "drop_after": (
        lambda value: parse_duration("drop_after", value),
        ["400d", "52w", "36h"],
        ["", "0d", "two years", "-1d"],
    ),
    "anchor": (
        lambda value: Calendar("1d", anchor=value),
        ["6h", "2026-11-01T06:00", "0s", "2026-11-01", "2026-11-01T06:00+01:00"],
        ["", "noon", "6", "-6h", "06:00"],
    ),
    "interval_start": (
        lambda value: find_interval(Calendar("1h"), value),
        ["2026-11-01", "2026-11-01T06:00", "2026-11-01T06:00+01:00", "20261101T060000Z",
         "2026-11-01 06:00", "2026-11-01T06", "2026-11-01T06:00:00.000", "20261101"],
        ["", "yesterday", "6h", "01.11.2026", "2026-11", "2026-11-01T", "11/01/2026"],
    ),
    "cluster": (
        about_files(parse_cluster),
        ["none", "threads", "threads:4", "processes:12", "tcp://10.0.0.1:8786",
         "tls://dask.example:8786", "clusters/dask.yaml", "cluster.json", "c.yml"],
        ["", "thread", "threads:0", "threads:", "processes:-1", "tcp://host", "http://host:80",
         "cluster.toml", "NONE"],
    ),
    "interval": (
        parse_intervals,
        ["2026-11-01", "20261101T060000Z", "2026-11-01/2026-12-01", "2026-11-01T06:00 / ",
         "/2026-12-01"],
        ["", "yesterday", "/", "1d", "2026-11-01/soon"],
    ),
    "relevance_file": (
        lambda value: selection_request({**SELECTION, "relevance_file": value}),
        ["relevance.parquet", "relevance.csv", "all features.CSV"],
        ["", "relevance", "a/relevance.csv", ".csv", "relevance.xlsx"],
    ),
    "settings": (
        about_files(Settings.from_any),
        ["minimal", "efficient", "comprehensive", "settings.yaml", "mine/settings.json", "s.YML"],
        ["", "Minimal", "all", "settings.txt"],
    ),
}  # fmt: skip
PATTERNS["start"] = PATTERNS["end"] = PATTERNS["interval_start"]
EXAMPLES = [
    pytest.param(name, value, accepted, id=f"{name}-{value}")
    for name, (_, *both) in PATTERNS.items()
    for accepted, values in zip((True, False), both, strict=True)
    for value in values
]


@pytest.mark.parametrize(("name", "value", "accepted"), EXAMPLES)
def test_the_form_takes_the_texts_that_the_engine_takes(name, value, accepted):
    assert refused(name, value) == (not accepted)
    read = PATTERNS[name][0]
    if accepted:
        read(value)
    else:
        with pytest.raises(InputError):
            read(value)


@each_field
def test_every_pattern_was_tried_and_an_example_is_in_the_description(flow, name):
    field = form(flow)["properties"][name]
    if "if" in field and name not in ITEMS:
        taken = PATTERNS[name][1]
        assert any(example in field["description"] for example in taken)


#: Parameters that hold several texts, each with a pattern.
ITEMS = {
    "storage_options": ({"aws_region": "AWS_REGION"}, {"aws_secret_access_key": "hush-hush"}),
    "modules": (["mine.calculators", "pumps"], ["mine/calculators.py"]),
}


def said(name: str, value: Any) -> list[str]:
    """What the form says beside the field."""
    (flow, *_) = (flow for flow in FLOWS.values() if name in form(flow)["properties"])
    errors = build_error_obj(validate({name: value}, form(flow), ignore_required=True))["errors"]
    return [text for one in errors for text in one["errors"]]


REFUSED = [(name, value) for name, (_, _, values) in PATTERNS.items() for value in values]


@pytest.mark.parametrize(("name", "value"), REFUSED + [(n, bad) for n, (_, bad) in ITEMS.items()])
def test_the_form_says_in_words_what_is_allowed_and_shows_no_pattern_and_no_secret(name, value):
    (allowed,) = said(name, value)
    assert allowed == f"'{PARAMETERS[name].pattern.allowed}' was expected"


def test_the_form_takes_every_time_zone():
    pattern = PARAMETERS["timezone"].pattern.text
    assert [zone for zone in available_timezones() if not re.search(pattern, zone)] == []


@pytest.mark.parametrize("name", ITEMS)
def test_each_text_of_several_is_looked_at(name):
    good, bad = ITEMS[name]
    assert (refused(name, good), refused(name, bad)) == (False, True)


def test_no_secret_can_be_typed_into_the_form():
    for secret in ("hush", "a/B+c=", "AKIA" + "A1" * 8):
        assert refused("storage_options", {"aws_access_key_id": secret})
        with pytest.raises(ArgumentError):
            check_options({"aws_access_key_id": secret})


LIMITS = [
    ({}, True), ({"rows_drop": {"fail": 0.3, "warn": "off"}, "nan_rise": "off"}, True),
    ({"quarantined_series": {"fail": 3}}, True), ({"row_drop": "off"}, False),
    ({"rows_drop": "on"}, False), ({"rows_drop": {"fial": 0.3}}, False),
    ({"rows_drop": {"fail": 1}}, False), ({"failed_cells": {"fail": -0.1}}, False),
    ({"quarantined_series": {"warn": 1.5}}, False),
]  # fmt: skip


@pytest.mark.parametrize(("checks", "accepted"), LIMITS)
def test_the_form_takes_the_checks_that_the_engine_takes(checks, accepted):
    assert refused("checks", checks) == (not accepted)
    if accepted:
        assert parse_checks(checks).keys() == CHECK_LIMITS.keys()
    else:
        with pytest.raises(ArgumentError):
            parse_checks(checks)


NUMBERS = {
    "retries": (0, -1), "retry_delay_seconds": (0.0, -0.5), "max_wait": (0, -1),
    "wait_for_sink": (0, -1), "lookback": (0, -1), "part_bytes": (1, 0),
    "series_seconds": (0.1, 0), "fdr_level": (0.05, 1), "max_features": (1, 0),
    "n_significant": (1, 0), "max_bytes": (1, 0), "min_share": (1, 0),
    "stall_seconds": (1, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_the_form_refuses_numbers_that_make_no_sense(name):
    good, bad = NUMBERS[name]
    assert (refused(name, good), refused(name, bad)) == (False, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("retries", -1), ("retry_delay_seconds", -0.5), ("max_wait", float("nan")),
     ("wait_for_sink", -1)],
)  # fmt: skip
def test_python_refuses_them_with_the_sentence(name, value):
    given = {"source": "in", "sink": "out", "column_id": "id", "column_time": "time"}
    with pytest.raises(ArgumentError, match=f"{name}=.* is not allowed; give 0 or more"):
        extract_interval.fn(**given | {name: value})


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_the_defaults_keep_the_rules(flow):
    fields = form(flow)["properties"]
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    assert validate(defaults, form(flow), ignore_required=True) == []


@pytest.mark.parametrize("option", ["--retries", "--retry-delay-seconds", "--wait-for-sink"])
@pytest.mark.parametrize("command", ["extract-interval", "backfill"])
def test_the_commands_refuse_them_too(command, option):
    required = ["--column-id=id", "--column-time=time"]
    span = ["--start=2026-11-01", "--end=2026-11-02"] if command == "backfill" else []
    refused = CliRunner().invoke(cli, [command, "in", "out", *required, *span, option, "-1"])
    assert refused.exit_code == 1
    name = option.removeprefix("--").replace("-", "_")
    assert re.fullmatch(rf"{name}=-1(\.0)? is not allowed; give 0 or more", str(refused.exception))
