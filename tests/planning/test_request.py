"""Requests are checked once, at the door, and frozen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidemill.data import demo_path
from tidemill.errors import ArgumentError, SettingsError, SourceError
from tidemill.model.policies import Policies
from tidemill.planning.check_limits import parse_checks
from tidemill.planning.doors import BACKFILL, EXTRACT_INTERVAL
from tidemill.planning.request import make_request
from tidemill.sources.demo_data import BUOYS, SEA_SURFACE

TABLE = {"door": EXTRACT_INTERVAL, "column_time": "time"}


def made(source="in.parquet", sink="matrix", **given):
    return make_request(source, sink, **{"column_id": "id", "settings": "minimal", **given})


def test_paths_are_absolute_and_urls_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    request = made(["a.parquet", Path("b.csv"), "s3://bucket/c"], "~/out", work_dir="work")
    assert request.source == (f"{tmp_path}/a.parquet", f"{tmp_path}/b.csv", "s3://bucket/c")
    assert request.locations == request.source
    assert (request.sink, request.work_dir) == ("/home/me/out", f"{tmp_path}/work")
    assert made("in").locations == (os.path.join(tmp_path, "in"),)  # noqa: PTH118 (a text)


def test_demo_sources_are_bundled_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEMILL_CACHE_DIR", str(tmp_path))
    assert made(SEA_SURFACE).source == str(demo_path())
    assert made([BUOYS]).source == (f"{tmp_path}/demo/buoys",)


@pytest.mark.parametrize(
    ("column_id", "expected", "ids"),
    [
        ("id", "id", ("id",)),
        (["id"], "id", ("id",)),
        (["plant", "sensor"], ("plant", "sensor"), ("plant", "sensor")),
    ],
)
def test_ids_are_one_column_or_several(column_id, expected, ids):
    request = made(column_id=column_id)
    assert (request.column_id, request.ids) == (expected, ids)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"column_id": None}, "column_id=None is not allowed; name the column"),
        ({"column_id": []}, r"column_id=\[\] is not allowed; name the column"),
        ({"column_id": ["a", "a"]}, r"column_id=\['a', 'a'\] .* names a column twice"),
        ({"column_id": 3}, "column_id=3 is a int"),
        ({"column_sort": 3}, "column_sort=3 is a int"),
        ({"column_kind": b"k"}, "column_kind=b'k' is a bytes"),
        ({"column_value": []}, r"column_value=\[\] is empty"),
        ({"column_value": ["x", 1]}, "column_value=1 is a int"),
        ({"source": 3}, "source is a int, but must be a path or URL; extract_features takes"),
        ({"source": ["a", None]}, "source is a NoneType"),
        ({"source": ""}, "source='' is not allowed"),
        ({"sink": None}, "sink is a NoneType, but must be a path or URL; give a string"),
        ({"part_bytes": 0}, "part_bytes=0 is not allowed; give 1 or more"),
        ({"series_seconds": 0.0}, "series_seconds=0.0 is not allowed"),
        ({"wait_for_sink": -1}, "wait_for_sink=-1 is not allowed"),
        ({"on_nan": "drop"}, "on_nan='drop' is not allowed; choose one of 'raise', 'omit'"),
        ({"report_url": "/srv"}, "report_url='/srv' is not allowed; give an address with http"),
        ({"report_url": 3}, "report_url='...' is not allowed"),
        ({"report_url": "https://me:secret@host/a"}, "report_url='...' is not allowed"),
    ],
)
def test_arguments_are_refused_with_their_name_and_value(given, message):
    with pytest.raises(ArgumentError, match=message):
        made(**given)


def test_settings_and_modules_are_checked_at_the_door():
    with pytest.raises(SettingsError, match="no_such"):
        made(settings={"no_such": None})
    with pytest.raises(SourceError, match="no_such_module"):
        made(modules=["no_such_module"])
    with pytest.raises(TypeError, match="extract has no parameter 'column'"):
        made(column="x")


def test_a_request_about_a_table_has_its_checks_and_policies():
    request = made(**TABLE, checks={"nan_rise": "off"}, on_settings_change="append")
    assert request.column_sort == "time"
    assert request.policies == Policies(on_nan="quarantine", on_error="nan")
    assert request.checks == parse_checks({"nan_rise": "off"})
    assert request.on_settings_change == "append"
    assert made().checks == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"on_settings_change": "ask"}, "on_settings_change='ask' is not allowed; choose one of"),
        ({"column_id": "interval"}, "column_id='interval' is also the name of the table's column"),
        ({"column_id": ["a", "interval"]}, "rename the column"),
        ({"checks": {"rows": 1}}, "there is no check 'rows'"),
        ({"retries": -1}, "retries=-1 is not allowed; give 0 or more"),
        ({"lookback": -1}, "lookback=-1 is not allowed; give 0 or more"),
        ({"column_time": 3}, "column_time=3 is a int"),
    ],
)
def test_what_concerns_a_table_is_refused_too(given, message):
    with pytest.raises(ArgumentError, match=message):
        made(**{**TABLE, **given})


def test_required_parameters_of_the_door_are_needed():
    with pytest.raises(TypeError, match="backfill needs a value for 'column_time'"):
        made(door=BACKFILL)
