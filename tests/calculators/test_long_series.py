"""Calculators of quadratic time on long series: one warning, before the work begins."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.calculators import Calculator, register
from tidemill.calculators.table.spec import Parameter
from tidemill.cli.forecast import forecast, forecast_text
from tidemill.errors import QuadraticWarning
from tidemill.model.progress import subscribe
from tidemill.planning.request import make_request

from ..support.series import extract

pytestmark = pytest.mark.usefixtures("own_calculators")

SAID = r"pairs: the time grows with the square of the length, and 2 series have more than 20,000"
SETTINGS = {"pairs": [{"r": 1.0}, {"r": 2.0}], "mean": None}


@pytest.fixture(autouse=True)
def pairs():
    """A calculator that says of itself that it is quadratic; the built-in ones take too long."""
    called = []

    def function(values, r):
        called.append(len(values))
        return r

    parameters = (Parameter("r", "any"),)
    row = Calculator("pairs", "Nothing.", parameters=parameters, function=function, version="1")
    register(replace(row, quadratic=True))
    return called


def long(length=20_001, n_ids=2):
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(n_ids + 1), [length] * n_ids + [50])
    return pd.DataFrame({"id": ids, "time": np.arange(len(ids)), "x": rng.normal(size=len(ids))})


def frame_costs(frame):
    return tidemill.feature_costs(frame, SETTINGS, column_id="id", column_sort="time", sample=1)


def matrix(frame, **options):
    return tidemill.extract_features(frame, SETTINGS, column_id="id", column_sort="time", **options)


def array(frame):
    rows = frame.groupby("id")["x"]
    return tidemill.extract_arrays([own.to_numpy() for _, own in rows], SETTINGS)


@pytest.mark.parametrize("door", [matrix, frame_costs, array])
def test_frames_warn_once_and_name_the_caller(door, pairs):
    with pytest.warns(QuadraticWarning, match=SAID) as caught:
        door(long())
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "Leave them out, as the settings 'efficient' do" in str(caught[0].message)


def test_the_warning_comes_before_the_work(pairs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(QuadraticWarning):
            matrix(long(), show_warnings=False)
    assert pairs == []


def test_short_series_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matrix(long(20_000))


@pytest.fixture
def source(tmp_path):
    long().to_parquet(tmp_path / "input.parquet", index=False)
    return tmp_path / "input.parquet"


def test_a_run_says_it_once_in_its_log_and_beside_the_bar(source, tmp_path, caplog):
    seen = []
    with caplog.at_level(logging.WARNING, "tidemill"), subscribe(seen.append):
        extract(source, tmp_path / "out", SETTINGS)
        extract(source, tmp_path / "out", SETTINGS)  # nothing is missing any more
    said = [record.message for record in caplog.records if "the square" in record.message]
    assert len(said) == 1
    assert said[0].startswith("pairs: the time grows with the square of the length, and 2 series")
    assert [state.note for state in seen if state.note] == said


def test_the_plan_says_it(source, tmp_path):
    roles = {"column_id": "id", "column_sort": "time"}
    request = make_request(source, tmp_path / "out", settings=SETTINGS, **roles)
    text = forecast_text(forecast(request, "none"))
    assert text.splitlines()[-1].startswith("Warning         pairs: the time grows")
    request = make_request(source, tmp_path / "out", settings={"mean": None}, **roles)
    assert "Warning" not in forecast_text(forecast(request, "none"))
