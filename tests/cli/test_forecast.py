"""What ``tidemill plan`` predicts: figures of the plan, without running anything."""

from __future__ import annotations

import os

import pytest

from tidemill.cli.forecast import START_SECONDS, forecast, forecast_text
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
    assert found.start_seconds == START_SECONDS["processes"] <= found.seconds
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
