"""What ``tidemill plan`` predicts: figures of the plan, without running anything."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tidemill.calculators.warming import compile_seconds
from tidemill.cli.forecast import (
    DATABASE_SECONDS,
    SERVER_SECONDS,
    START_SECONDS,
    forecast,
    forecast_text,
)
from tidemill.errors import SourceError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request

from ..support.inputs import make_input


@pytest.fixture
def request_of(tmp_path, sink):
    def make(**options):
        series = make_input(tmp_path, n_ids=6, ids_per_part=2)
        return make_request(sink=str(sink), settings="minimal", **series.arguments | options)

    return make


def test_the_figures_are_those_of_the_plan(request_of, sink):
    found = forecast(request_of(), "processes:3")
    assert (found.ids, found.series, found.columns) == (6, 6, 10)
    assert (found.parts, found.parts_missing, found.threads) == (3, 3, 3)
    assert START_SECONDS["processes"] <= found.start_seconds <= found.seconds
    assert found.output_bytes == 8 * 6 * 10
    assert not sink.exists()


def test_without_a_number_every_core_counts(request_of):
    assert forecast(request_of(), "threads").threads == os.cpu_count()


def test_parts_that_are_committed_are_not_missing(request_of):
    extract_here(request_of())
    found = forecast(request_of(), "none")
    assert (found.parts, found.parts_missing, found.chunks) == (3, 0, 0)


def test_the_text_names_the_figures(request_of):
    text = forecast_text(forecast(request_of(), "none"))
    titles = [line[:15].strip() for line in text.splitlines()]
    assert titles[:4] == ["Input", "Series", "Parts", "Chunk size"]
    assert "6 of 6 ids, 10 feature columns" in text
    assert "3, of which 3 are missing; read from the input as it lies" in text


def test_the_input_is_named_as_it_was_given(request_of, tmp_path):
    pattern = str(tmp_path / "in*.parquet")
    for given in (request_of().source, pattern):
        found = forecast(request_of(source=given), "none")
        assert found.source == given
        assert f"{given}: " in forecast_text(found)


def test_bad_input_is_an_error_as_in_a_run(request_of):
    with pytest.raises(SourceError, match="no_such"):
        forecast(request_of(column_id="no_such"), "none")


def test_the_start_is_predicted_by_what_it_takes(request_of, tmp_path, monkeypatch):
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    ready = request_of()
    extract_here(ready)  # its kernels are compiled now
    asked = replace(ready, sink=str(tmp_path / "another"))
    assert forecast(asked, "none").start_reason == "programs 2.00 s"
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        assert forecast(asked, "threads").start_reason == "programs 5.00 s"
    home = tmp_path / "home"
    home.mkdir()
    with temporary_settings({PREFECT_HOME: home}, restore_defaults=[PREFECT_API_URL]):
        found = forecast(asked, "threads")
        assert found.start_reason == "programs 5.00 s, server 6.00 s, its database 15.0 s"
        assert found.start_seconds == 5 + SERVER_SECONDS + DATABASE_SECONDS
        (home / "prefect.db").touch()
        assert forecast(asked, "threads").start_seconds == 5 + SERVER_SECONDS
    monkeypatch.setattr("tidemill.cli.forecast.to_compile", lambda _: 54)
    found = forecast(asked, "none")
    assert "54 kernels to compile" in found.start_reason
    assert found.start_seconds == 2 + compile_seconds(54)
    assert f"start ({found.start_reason})" in forecast_text(found)
