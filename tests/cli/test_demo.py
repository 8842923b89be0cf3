"""The demo: options that fit the bundled data, and pictures of the matrix."""

from __future__ import annotations

import pandas as pd

from tidemill.cli import demo
from tidemill.execution.in_process import extract_here
from tidemill.planning.doors import EXTRACT
from tidemill.planning.request import make_request


def test_the_options_are_those_of_an_extraction(tmp_path):
    given = EXTRACT.complete(demo.demo_options(tmp_path))
    assert given["settings"] == "comprehensive"
    request = make_request(**given)
    assert request.sink == str(tmp_path / "feature_matrix")
    assert request.locations[0].endswith("sea_surface_temperature.parquet")


def test_pictures_are_drawn_of_what_was_published(tmp_path):
    given = EXTRACT.complete({**demo.demo_options(tmp_path), "settings": "minimal"})
    summary = extract_here(make_request(**given)).to_json()
    drawn = demo.draw_pictures(summary, tmp_path)
    assert [one.name for one in drawn] == ["feature_map.png", "seconds_per_calculator.png"]
    assert all(one.read_bytes().startswith(b"\x89PNG") for one in drawn)
    again = extract_here(make_request(**given)).to_json()  # nothing is calculated, nothing timed
    assert [one.name for one in demo.draw_pictures(again, tmp_path)] == ["feature_map.png"]


def test_months_are_named_once():
    days = pd.date_range("2016-12-30", "2017-02-02").strftime("%Y-%m-%d")
    assert demo._months(pd.Index(days)) == {2: "Jan\n2017", 33: "Feb"}
