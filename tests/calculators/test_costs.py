"""Predictions from the cost table, and the script that measures it."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tidemill.calculators import find, preset
from tidemill.calculators.costs import (
    _table,
    predict,
    predict_by_calculator,
    probe,
    quadratic_warning,
)
from tidemill.calculators.table.build import ROWS
from tidemill.calculators.table.needs import INTERMEDIATES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def calibrate():
    path = ROOT / "benchmarks" / "calibrate_costs.py"
    spec = importlib.util.spec_from_file_location("calibrate_costs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_calculator_and_intermediate_has_a_cost():
    made = {f"need:{name}" for name, row in INTERMEDIATES.items() if row.kernel or row.batch}
    assert set(_table()["costs"]) == made | {row.name for row in ROWS}


def test_predictions_name_only_what_the_table_knows():
    assert set(predict_by_calculator(preset("comprehensive", times=True), [9.0], [1.0])) == set(
        _table()["costs"]
    )


def test_no_cost_is_negative():
    for row in _table()["costs"].values():
        assert min(*row["one"], *row["grid"]) >= 0


def test_predictions_add_up():
    features = preset("comprehensive")
    parts = predict_by_calculator(features, [10.0, 1_000.0], [5.0, 7.0])
    total = predict(features, [10.0], [5.0]) + predict(features, [1_000.0], [7.0])
    assert sum(parts.values()) == pytest.approx(total)
    assert predict(features, [], []) == 0


def test_more_parameters_and_longer_series_cost_more():
    few, many = [("quantile", {"q": 0.1})], [("quantile", {"q": i / 50}) for i in range(50)]
    assert predict(few, [100.0], [1.0]) <= predict(many, [100.0], [1.0])
    assert predict(few, [100.0], [1.0]) < predict(few, [1_000.0], [1.0])
    assert predict(preset("minimal"), [50.0], [1.0]) < predict(preset("efficient"), [50.0], [1.0])


def test_a_machine_like_any_other():
    assert 0.01 < probe(0.05) < 100


QUADRATIC = ["approximate_entropy", "sample_entropy"]


def test_two_calculators_are_quadratic():
    assert sorted(row.name for row in ROWS if row.quadratic) == QUADRATIC
    efficient = {name for name, _ in preset("efficient")}
    assert efficient.isdisjoint(QUADRATIC), "the remedy that the warning names"


@pytest.mark.parametrize("name", QUADRATIC)
def test_quadratic_costs_grow_so_beyond_what_was_measured(name):
    features = [(name, find(name).grid[0])]
    one, ten, hundred = (predict_by_calculator(features, [n], [1.0])[name] for n in (1e5, 1e6, 1e8))
    assert (ten / one, hundred / ten) == pytest.approx((1e2, 1e4), rel=0.01)


def test_a_warning_names_calculators_series_and_seconds():
    features = {"x": preset("comprehensive"), "y": [("sample_entropy", {})], "z": [("mean", {})]}
    lengths = {"x": [100.0, 20_001.0], "y": [100.0, 50_000.0], "z": [1e6, 1e6]}
    text = quadratic_warning(features, lengths, [5.0, 7.0])
    sure = predict_by_calculator([("sample_entropy", {})], [20_001.0, 50_000.0], [7.0, 7.0])
    assert text.startswith("sample_entropy and approximate_entropy: the time grows with the square")
    assert "14 series have more than 20,000 values (the longest 50,000)" in text
    seconds = float(re.search(r"about ([\d,.]+) s of one thread", text)[1].replace(",", ""))
    assert seconds >= round(sure["sample_entropy"], 1)


def test_no_warning_without_reason():
    quadratic, mean = [("sample_entropy", {})], [("mean", {})]
    assert quadratic_warning({"x": quadratic}, {"x": [20_000.0]}, [1.0]) == ""
    assert quadratic_warning({"x": mean}, {"x": [1e6]}, [1.0]) == ""
    assert quadratic_warning({"x": mean, "y": quadratic}, {"x": [1e6], "y": [9.0]}, [1.0]) == ""


def test_calibration_leaves_long_quadratic_series_out(calibrate):
    row = find("sample_entropy")
    assert calibrate.features_for(row, "grid", 100_000) == [("sample_entropy", {})]
    assert calibrate.features_for(row, "grid", 1_000_000) == []
    assert calibrate.extrapolated([1.0, 4.0], (10, 20, 40, 200)) == [1.0, 4.0, 16.0, 400.0]


@pytest.mark.slow
def test_calibration_runs_and_covers_the_table(calibrate):
    table = calibrate.calibrate(0.0, lengths=(10, 40, 160))
    assert set(table["costs"]) == set(_table()["costs"])
    assert json.loads(calibrate.as_text(table)) == table


def test_the_table_is_met_at_its_own_lengths_and_rises_between_them():
    lengths = np.array(_table()["lengths"], dtype=float)
    known = np.array(_table()["costs"]["need:moments"]["one"])
    predicted = [predict_by_calculator([("mean", {})], [n], [1.0])["need:moments"] for n in lengths]
    np.testing.assert_allclose(predicted, known, rtol=1e-9)
    between = predict_by_calculator([("mean", {})], [5_000.0], [1.0])["need:moments"]
    assert known[5] < between < known[6]


def test_costs_beyond_the_table_are_in_proportion_to_the_length():
    longest = float(_table()["lengths"][-1])
    one, three = (predict([("mean", {})], [n * longest], [1.0]) for n in (1, 3))
    assert three == pytest.approx(3 * one)
