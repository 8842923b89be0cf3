"""What a selection leaves behind, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.reports.charts import drawn_figures
from tidemill.reports.selection import selection_page, selection_text, write_selection
from tidemill.selection.table import SelectedColumns
from tidemill.selection.table_request import selection_request
from tidemill.selection.targets import read_target

NAMES = ["x__mean", "x__quantile__q_0.5", "x__length", "x__kurtosis"]


def selected(**more):
    table = {
        "feature": NAMES, "type": ["real", "real", "constant", "empty"],
        "p_value": [0.001, 0.7, np.nan, np.nan], "relevant": [True, False, False, False],
        "imputed": [2, 0, 0, 9], "chosen": [True, False, False, False],
    }  # fmt: skip
    y = pd.Series([0, 1])
    found = {
        "relevance": pd.DataFrame(table), "chosen": ("x__mean",), "target": read_target(y, y.index),
        "p_values": {"": np.array([0.001, 0.7])}, "rows": 9, "rows_without_target": 1,
        "targets_without_row": 2, "intervals": 0, "batches": 1, "fdr_level": 0.05,
        "independent": False, "seconds": 0.5,
    }  # fmt: skip
    return SelectedColumns(**found | more)


@pytest.fixture
def request_of(tmp_path):
    def request_of(**more):
        given = {"matrix": tmp_path / "pumps", "target": "/y.csv", "column_target": "worn"}
        return selection_request({**given, **more})

    return request_of


def test_the_table_the_settings_and_the_picture_are_written(request_of):
    summary = write_selection(request_of(), selected())
    table = pd.read_parquet(summary["relevance"])
    assert list(table["feature"]) == NAMES
    assert tidemill.Settings.from_any(summary["settings"]).columns(["x"]) == ("x__mean",)
    drawn = drawn_figures(summary["picture"])
    assert (drawn["tested"], drawn["relevant"]) == (2, {"": 1})
    assert drawn["title"] == "worn: 1 of 2 features relevant at a false discovery rate of 0.05"


def test_the_table_may_be_csv(request_of):
    summary = write_selection(request_of(relevance_file="all.csv"), selected())
    assert list(pd.read_csv(summary["relevance"])["feature"]) == NAMES


def test_without_a_chosen_or_a_tested_feature_there_is_no_such_file(request_of):
    first = write_selection(request_of(), selected())
    none = write_selection(request_of(), selected(chosen=(), p_values={"": np.zeros(0)}))
    assert (none["settings"], none["picture"]) == (None, None)
    assert Path(first["settings"]).exists()  # of the earlier run
    assert "Settings        not written" in selection_text(none)
    assert "no feature is relevant at fdr_level=0.05" in selection_text(none)
    assert "Chosen features" not in selection_page(none, selected().relevance)


def test_the_text_names_what_was_dropped_and_what_has_no_partner(request_of):
    text = selection_text(write_selection(request_of(), selected()))
    assert "Verdict         Completed: 1 of 4 features chosen, by 9 rows; dropped: 1 witho" in text
    assert "Rows            9; 1 row without a target, 2 targets without a row" in text
    assert "Features        4: 1 constant, 1 empty, 2 real; 11 values imputed" in text
    assert "Dropped         no finite value: x__kurtosis" in text
    assert "Dropped         constant: x__length" in text
    assert "worn in /y.csv: classification, 2 classes" in text


def test_the_page_lists_the_chosen_features(request_of):
    page = selection_page(write_selection(request_of(), selected()), selected().relevance)
    assert page.startswith("# Completed: 1 of 4 features chosen")
    assert "| x__mean | real | 0.001 |" in page
    assert "chosen.yaml](file:///" in page


def test_a_page_names_no_more_than_forty(request_of):
    names = [f"x__quantile__q_{place / 100}" for place in range(1, 61)]
    table = pd.DataFrame({"feature": names, "type": "real", "p_value": 0.001, "relevant": True})
    many = selected(relevance=table.assign(imputed=0, chosen=True), chosen=tuple(names))
    page = selection_page(write_selection(request_of(), many), many.relevance)
    assert page.count("| real |") == 40
    assert "... (60 in all" in page
