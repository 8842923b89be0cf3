"""Options of the command, made from the table of parameters, and the values they give."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tidemill.cli.options import as_typed, given_of, pairs, takes_options
from tidemill.planning.doors import BACKFILL, COSTS, DOORS, EXTRACT, EXTRACT_INTERVAL

COLUMNS = ("--column-id=id", "--column-time=time")


@pytest.fixture
def values():
    """The values of a door that a command line gives, or its error."""

    def of(door, *arguments):
        found = {}

        @click.command()
        @takes_options(door)
        def command(**options):
            found.update(given_of(door, options))

        result = CliRunner().invoke(command, list(arguments))
        return found if result.exit_code == 0 else result.output

    return of


def test_what_is_not_given_has_the_default_of_the_door(values):
    assert values(EXTRACT, "in", "out", "--column-id=id") == EXTRACT.complete(
        {"source": "in", "sink": "out", "column_id": "id"}
    )
    found = values(EXTRACT_INTERVAL, "in", "out", *COLUMNS)
    assert (found["on_nan"], found["on_error"], found["retries"]) == ("quarantine", "nan", 2)


def test_several_values_are_a_list_and_one_is_itself(values):
    found = values(EXTRACT, "in", "out", "--column-id=a", "--column-id=b", "--column-value=x")
    assert (found["column_id"], found["column_value"]) == (["a", "b"], "x")
    found = values(EXTRACT_INTERVAL, "one", "two", "out", *COLUMNS, "--module=mine")
    assert (found["source"], found["sink"], found["modules"]) == (["one", "two"], "out", ["mine"])


def test_objects_are_given_as_json(values):
    found = values(
        EXTRACT_INTERVAL, "in", "out", *COLUMNS, '--settings={"mean": null}',
        '--kind-to-settings={"x": {"median": null}}', '--checks={"rows_drop": "off"}',
    )  # fmt: skip
    assert found["settings"] == {"mean": None}
    assert found["kind_to_settings"] == {"x": {"median": None}}
    assert found["checks"] == {"rows_drop": "off"}
    assert "--checks '{bad' is not valid JSON" in values(
        EXTRACT_INTERVAL, "in", "out", *COLUMNS, "--checks={bad"
    )


def test_a_path_that_is_no_json_stays_a_path(values):
    found = values(EXTRACT, "in", "out", "--column-id=id", "--settings=mine.yaml")
    assert found["settings"] == "mine.yaml"


def test_switches_are_off_until_they_are_given(values):
    span = ("--start=2026-11-01", "--end=2026-11-02")
    assert values(BACKFILL, "in", "out", *COLUMNS, *span)["dry_run"] is False
    assert values(BACKFILL, "in", "out", *COLUMNS, *span, "--dry-run")["dry_run"] is True


def test_storage_options_are_pairs():
    assert pairs(["aws_region=AWS_REGION", "a=B=C"]) == {"aws_region": "AWS_REGION", "a": "B=C"}
    for bad in ("aws_region", "=B", "a="):
        with pytest.raises(click.BadParameter, match="is not of the form KEY=VARIABLE"):
            pairs([bad])


@pytest.mark.parametrize("door", [*DOORS.values(), COSTS], ids=lambda door: door.name)
def test_every_option_has_a_help(door):
    command = takes_options(door)(click.command()(lambda **_: None))
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not (one.help or "").endswith((".", "}}."))] == []


def test_a_required_option_is_named(values):
    assert "Missing option '--column-time'" in values(EXTRACT_INTERVAL, "in", "out", COLUMNS[0])


def test_a_choice_is_refused_with_what_there_is(values):
    refused = values(EXTRACT, "in", "out", "--column-id=id", "--on-nan=drop")
    assert "'drop' is not one of 'raise', 'omit', 'quarantine'" in refused


def test_a_storage_option_given_twice_is_refused():
    with pytest.raises(click.BadParameter, match=r"--storage-option region=\.\.\. is given twice"):
        pairs(["region=ONE", "region=OTHER"])


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("on_nan='x' is not allowed", "--on-nan='x' is not allowed"),
        (
            "Choose on_settings_change='recalculate', or",
            "Choose --on-settings-change='recalculate', or",
        ),
        ("name it in column_id.", "name it in --column-id."),
        ("see column_id.name", "see column_id.name"),
        ("name it in column_id if", "name it in --column-id if"),
        ("storage_options={'a': 1}: modules=['b']", "--storage-option={'a': 1}: --module=['b']"),
        ("source='a' and sink='b'", "INPUT='a' and OUTPUT='b'"),
        ("the source and the window of time_unit", "the source and the window of --time-unit"),
        ("column 'time_unit', `on_nan`, a/on_nan", "column 'time_unit', `on_nan`, a/on_nan"),
    ],
)
def test_messages_name_options_as_they_are_typed(said, typed):
    assert as_typed(said) == typed
