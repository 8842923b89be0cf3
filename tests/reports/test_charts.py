"""Pictures are drawn from any matrix, and their labels do not touch."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread, imsave

from tidemill.cli.demo import demo_options
from tidemill.errors import ArgumentError
from tidemill.reports.charts import (
    BARS,
    Strip,
    _explain_colours,
    _figure,
    _label_calculators,
    drawn_figures,
    feature_map,
    ordered_p_values,
    ordered_shares,
    seconds_per_calculator,
)


@pytest.fixture
def matrix(rng) -> pd.DataFrame:
    columns = [f"x__{name}__q_{i}" for name in ("quantile", "c3", "mean") for i in range(7)]
    return pd.DataFrame(rng.normal(size=(40, len(columns))), columns=columns)


def is_drawn(path) -> bool:
    """Whether the picture is readable and not of one colour."""
    return len(np.unique(imread(path))) > 2


def test_feature_map_of_any_ids(matrix, tmp_path):
    matrix.index = [f"sensor number {i}" for i in range(len(matrix))]
    assert is_drawn(feature_map(matrix, tmp_path / "map.png", "sensor", "A title"))


def test_feature_map_with_a_strip_and_names_of_ids(matrix, tmp_path):
    line = matrix.iloc[:, 0].tolist()
    strip = Strip(line, line, line, "degrees")
    path = feature_map(matrix, tmp_path / "map.png", strip=strip, id_ticks={0: "first", 39: "last"})
    assert is_drawn(path)


def test_features_that_are_not_defined_or_do_not_vary_are_left_out(matrix, tmp_path):
    matrix.iloc[:, 0] = 1.0
    matrix.iloc[:, 1] = np.nan
    matrix.iloc[::2, 2] = np.nan
    assert is_drawn(feature_map(matrix, tmp_path / "map.png"))


def test_infinite_cells_are_drawn_as_missing(matrix, tmp_path):
    matrix.iloc[3, 5] = np.inf
    matrix.iloc[4, 5] = -np.inf
    assert is_drawn(feature_map(matrix, tmp_path / "map.png"))


def test_a_matrix_of_one_row_has_no_map(matrix, tmp_path):
    with pytest.raises(ArgumentError, match="none of the 21 features varies over 1 ids"):
        feature_map(matrix.iloc[:1], tmp_path / "map.png")
    assert list(tmp_path.iterdir()) == []


def test_names_of_calculators_keep_their_distance(tmp_path):
    names = [f"calculator_{i}" for i in range(300)] + ["large"] * 100
    with _figure(tmp_path / "labels.png", (5, 5)) as figure:
        axes = figure.add_subplot()
        _label_calculators(axes, names)
        ticks = np.sort(axes.get_yticks())
        labels = [label.get_text() for label in axes.get_yticklabels()]
    assert np.diff(ticks).min() >= 0.0165 * len(names)
    assert "large" in labels


@pytest.mark.parametrize("count", [1, 18, 60])
def test_seconds_per_calculator(count, tmp_path):
    seconds = {f"need:{i}" if i % 3 else f"calculator_{i}": 1e-3 / (i + 1) for i in range(count)}
    path = seconds_per_calculator(seconds, tmp_path / "seconds.png")
    assert is_drawn(path)
    assert drawn_figures(path) == {
        "title": "Time per calculator", "entries": count, "bars": min(count, BARS + 1),
    }  # fmt: skip


def test_the_legend_covers_no_bar(tmp_path):
    with _figure(tmp_path / "bars.png", (9, 3)) as figure:
        axes = figure.add_subplot()
        axes.barh(["a", "b"], [1.0, 1.0])
        _explain_colours(figure)
        figure.draw_without_rendering()
        (legend,) = figure.legends
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_a_picture_tells_what_it_shows(matrix, tmp_path):
    path = feature_map(matrix, tmp_path / "map.png", title="A title")
    assert drawn_figures(path) == {
        "title": "A title", "ids": ["0", "40", "39"], "columns": 21, "features": 21,
        "calculators": ["quantile", "c3", "mean"],
    }  # fmt: skip
    imsave(tmp_path / "other.png", np.zeros((2, 2)))
    with pytest.raises(ArgumentError, match="is no picture drawn by tidemill"):
        drawn_figures(tmp_path / "other.png")


def test_the_demo_finds_its_data_wherever_the_package_is(tmp_path):
    assert demo_options(tmp_path)["source"].startswith("demo://")


def test_ordered_p_values_of_one_test_and_of_classes(rng, tmp_path):
    thresholds = np.arange(1, 31) / 30 * 0.05
    one = np.sort(np.append(rng.random(28), [0.0, 1e-9]))
    drawn = ordered_p_values({"": one}, thresholds, tmp_path / "one.png", "A title")
    assert is_drawn(drawn)
    assert drawn_figures(drawn) == {"title": "A title", "tested": 30, "relevant": {"": 2}}
    classes = {"a": one, "b": np.full(30, 0.9)}
    drawn = ordered_p_values(classes, thresholds, tmp_path / "classes.png")
    assert drawn_figures(drawn)["relevant"] == {"a": 2, "b": 0}


def test_without_a_p_value_there_is_nothing_to_draw(tmp_path):
    with pytest.raises(ArgumentError, match="no feature was tested"):
        ordered_p_values({"": np.zeros(0)}, np.zeros(0), tmp_path / "none.png")


def test_shares_of_intervals_in_order(tmp_path):
    counts = np.array([0, 4, 2, 1, 3, 0])
    drawn = ordered_shares(counts, 4, 0.5, tmp_path / "intervals.png", "A title")
    assert is_drawn(drawn)
    assert drawn_figures(drawn) == {"title": "A title", "features": 6, "relevant": 3}


def test_titles_may_have_dollars(tmp_path):
    title = "cost_$_in_EU_to_$"
    drawn = ordered_p_values({"": np.array([0.01])}, np.array([0.05]), tmp_path / "p.png", title)
    assert drawn_figures(drawn)["title"] == title
    drawn = ordered_shares(np.array([1, 2]), 2, 0.5, tmp_path / "intervals.png", title)
    assert drawn_figures(drawn)["title"] == title
