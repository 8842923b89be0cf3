"""Which values of parameters are paths, and which of them are relative."""

from __future__ import annotations

import pytest

from tidemill.planning.parameters import PARAMETERS
from tidemill.planning.paths import is_path, relative_paths


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("source", "readings", True),
        ("source", "s3://bucket/readings", False),
        ("sink", "/data/table", True),
        ("work_dir", "~/work", True),
        ("settings", "mine.YAML", True),
        ("settings", "efficient", False),
        ("settings", {"mean": None}, False),
        ("cluster", "threads:4", False),
        ("cluster", "tcp://host:8786", False),
        ("cluster", "clusters/dask.yaml", True),
        ("column_id", "buoy.yaml", False),
        ("id_from_path", "{site}/{id}.csv", False),
    ],
)
def test_paths_are_told_from_names_and_urls(name, value, expected):
    assert is_path(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", "readings/*.csv"),
        ("source", "./readings"),
        ("source", "sqlite:///plant.db"),
        ("source", "duckdb:///plant.duckdb"),
        ("sink", "table"),
        ("work_dir", "work"),
        ("settings", "settings.json"),
        ("cluster", "clusters/two-processes.yaml"),
    ],
)
def test_a_relative_path_is_found(name, value):
    assert list(relative_paths({name: value})) == [(name, value)]
    if name == "source":
        assert list(relative_paths({name: ["/there", value]})) == [(name, value)]


@pytest.mark.parametrize(
    "value",
    ["/data/in", "~/in", "~me/in", "s3://bucket/in", "demo://buoys", "sqlite:////data/plant.db",
     "postgresql://host/plant", ""],
)  # fmt: skip
def test_what_means_the_same_in_every_folder_is_not_relative(value):
    assert list(relative_paths({"source": value})) == []


def test_parameters_that_hold_files_are_marked_in_the_table():
    marked = {name for name, one in PARAMETERS.items() if one.paths}
    assert marked == {
        "source", "sink", "settings", "cluster", "work_dir", "tables", "matrix", "target", "output",
    }  # fmt: skip
    assert list(relative_paths({"colour": "blue", "lookback": 3, "source": None})) == []
