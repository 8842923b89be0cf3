"""Parameters of a deployment are checked by the flow's own door, without its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidemill.orchestration.deploy.parameter_values import wrong_values
from tidemill.planning.doors import (
    BACKFILL,
    EXTRACT_INTERVAL,
    FLOW_DOORS,
    RETENTION,
    SELECT,
    Door,
)

GOOD = {"source": "~/in", "sink": "s3://bucket/table", "column_id": "id", "column_time": "time"}
FOLDER = Path("/project")


def wrong(door: Door = EXTRACT_INTERVAL, **given: Any) -> dict[str, str]:
    return dict(wrong_values(door, GOOD | given, FOLDER))


@pytest.mark.parametrize("door", FLOW_DOORS.values(), ids=FLOW_DOORS)
def test_what_may_be_right_where_the_worker_runs_is_not_refused(door):
    given = {"settings": "~/mine.yaml", "modules": ["mine.calculators"], "cluster": "/there.yaml"}
    own = {name: value for name, value in GOOD.items() if name in door}
    assert dict(wrong_values(door, own | given, FOLDER)) == {}
    assert dict(wrong_values(door, {}, FOLDER)) == {}  # a person fills in the form


def test_a_database_is_a_source_and_nothing_is_written_for_a_demo(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEMILL_CACHE_DIR", str(tmp_path))
    assert wrong(source="postgresql://host/plant", table="raw.sensors") == {}
    assert wrong(source="demo://buoys") == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["source", "sink", "work_dir"])
def test_a_relative_path_is_refused_with_an_absolute_one(name):
    sentence = wrong(**{name: "some/where"})[name]
    assert sentence.startswith(f"{name}='some/where' is not allowed: a worker runs in another")
    assert "'/project/some/where'" in sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"every": "1 day"}, "every='1 day' is not allowed; write '1d'"),
        ({"every": "daily"}, "write '1d'"),
        ({"window": "2 weeks"}, "write '2w'"),
        ({"timezone": "Berlin"}, "write 'Europe/Berlin'"),
        ({"timezone": "Europe/Berln"}, "write 'Europe/Berlin'"),
        ({"input_timezone": "Berlin"}, "write 'Europe/Berlin'"),
        ({"lookback": -1}, "from 0 to 100,000"),
        ({"settings": {"men": None}}, "men"),
        ({"checks": {"rows_dropp": "off"}}, "there is no check 'rows_dropp'"),
        ({"csv_decimal": ",,"}, "give one character"),
    ],
)
def test_a_value_that_a_run_would_refuse_is_refused_in_its_words(given, sentence):
    ((_, said),) = wrong(**given).items()
    assert sentence in said
    assert "^" not in said


def test_a_backfill_is_checked_before_its_span_is_known():
    assert list(wrong(BACKFILL, every="1 month")) == ["every"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"keep": "a month"}, "keep='a month' is not allowed"),
        ({"keep": "1min"}, "give 1h or more"),
        ({"drop_after": "2y"}, "drop_after='2y' is not allowed"),
        ({"tables": ["~/a", "in/b"]}, "tables='in/b' is not allowed: a worker runs in another"),
        ({"tables": "ftp://a/b"}, "cannot open 'ftp://a/b'"),
        ({"wait_for_sink": -1}, "give 0 or more"),
    ],
)
def test_a_value_that_retention_would_refuse_is_refused(given, sentence):
    ((_, said),) = wrong_values(RETENTION, {"tables": "~/table"} | given, FOLDER)
    assert sentence in said


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"target": "worn.csv"}, "target='worn.csv' is not allowed: a worker runs in another"),
        ({"target": "~/worn.doc"}, "give a file that ends in .parquet or .csv"),
        ({"output": "~/table/chosen"}, "it lies in the table"),
        ({"fdr_level": 2}, "give a share below 1"),
        ({"interval": "soon"}, "interval='soon' is not allowed"),
    ],
)
def test_a_value_that_a_selection_would_refuse_is_refused(given, sentence):
    ((_, said),) = wrong_values(SELECT, {"matrix": "~/table"} | given, FOLDER)
    assert sentence in said
    assert list(wrong_values(SELECT, {"matrix": "~/table", "modules": ["mine"]}, FOLDER)) == []
