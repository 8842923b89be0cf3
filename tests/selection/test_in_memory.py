"""Relevance interval by interval: that of the frame of each interval by itself."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.errors import InputError, SelectionError
from tidemill.selection import calculate_relevance_table, impute, select_features

from ..support.worn_pumps import DAYS, PUMPS, worn, write_table

TESTED = DAYS[:3]
KINDS = ["two classes", "four classes", "texts", "numbers"]


@pytest.fixture(scope="module")
def sink(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("pumps"))


@pytest.fixture(scope="module")
def matrix(sink):
    """The whole matrix without gaps; the last day has one row."""
    found = tidemill.read_matrix(sink)
    return impute(found.loc[:, np.isfinite(found).any()].copy())


def of_day(sink, day):
    """The frame of a day, imputed by itself, without columns that hold nothing."""
    found = tidemill.read_matrix(sink, day)
    return impute(found.loc[:, np.isfinite(found).any()].copy())


def by_hand(frames, targets, **options):
    """The relevance table of each frame by itself."""
    return {day: calculate_relevance_table(frames[day], targets[day], **options) for day in frames}


def assert_is_of(table, tables, min_share=0.5):
    """A table per interval says what those of the frames say."""
    counts = pd.Series(0, index=table.index)
    for day, own in tables.items():
        p_values = own.filter(regex="^p_value").min(axis=1)
        np.testing.assert_array_equal(table.loc[own.index, f"p_value_{day}"], p_values)
        relevant = own["relevant"].reindex(table.index, fill_value=False).astype(bool)
        assert list(table[f"relevant_{day}"]) == list(relevant)
        counts += relevant
    assert list(table["n_relevant"]) == list(counts)
    np.testing.assert_array_equal(table["share"], counts / len(tables))
    assert list(table["relevant"]) == list(counts / len(tables) >= min_share)
    assert {name for name in table if name.startswith("p_value")} == {
        f"p_value_{day}" for day in tables
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"test_for_binary_target_real_feature": "smir"},
        {"fdr_level": 0.3, "hypotheses_independent": True},
    ],
    ids=["mann", "smir", "independent"],
)
def test_a_frame_by_intervals_is_tested_as_each_interval_is(matrix, kind, options):
    y = worn(kind)
    table = calculate_relevance_table(matrix, y, per_window="interval", **options)
    frames = {day: matrix.loc[day] for day in TESTED}
    assert_is_of(table, by_hand(frames, dict.fromkeys(TESTED, y), **options))
    assert 0 < table["relevant"].sum() < len(table)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_by_intervals_is_tested_as_each_interval_is(sink, kind):
    y = worn(kind)
    table = calculate_relevance_table(sink, y, per_window="interval")
    frames = {day: of_day(sink, day) for day in TESTED}
    assert_is_of(table, by_hand(frames, dict.fromkeys(TESTED, y)))
    assert set(table.index[table["type"] == "empty"]) == {
        'x__fft_coefficient__attr_"abs"__coeff_99'
    }
    assert table["imputed"].sum() > 0


def test_classes_may_be_judged_apart_in_each_interval(sink):
    more = {"multiclass": True, "n_significant": 2}
    y = worn("four classes")
    table = calculate_relevance_table(sink, y, per_window="interval", min_share=2 / 3, **more)
    frames = {day: of_day(sink, day) for day in TESTED}
    tables = by_hand(frames, dict.fromkeys(TESTED, y), **more)
    assert_is_of(table, tables, min_share=2 / 3)


def test_each_interval_may_have_targets_of_its_own(sink, matrix):
    """By interval and id; on the second day of other pumps."""
    y = worn("two classes")
    targets = {day: y.to_numpy() if day != DAYS[1] else ~y.to_numpy() for day in TESTED}
    targets[DAYS[1]] = pd.Series(targets[DAYS[1]]).sample(frac=1, random_state=3).to_numpy()
    every = pd.concat([pd.Series(one, index=y.index) for one in targets.values()], keys=TESTED)
    frames = {day: of_day(sink, day) for day in TESTED}
    own = {day: pd.Series(one, index=y.index) for day, one in targets.items()}
    table = calculate_relevance_table(sink, every, per_window="interval")
    assert_is_of(table, by_hand(frames, own))
    assert not table[f"relevant_{DAYS[1]}"].any()

    rows = matrix.loc[: DAYS[2]]
    exact = pd.Series(every.to_numpy(), index=rows.index)
    table = calculate_relevance_table(rows, exact.iloc[::-1], per_window="interval")
    frames = {day: rows.loc[day] for day in TESTED}
    assert_is_of(table, by_hand(frames, own))


@pytest.mark.filterwarnings("ignore:.*constant:RuntimeWarning")
def test_untested_intervals_are_told(sink, matrix, caplog):
    y = worn("two classes")
    for source in (sink, matrix):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "tidemill"):
            calculate_relevance_table(source, y, per_window="interval")
        assert (
            "1 of 4 intervals could not be tested and do not count: 2026-11-20 (1 row)"
            in caplog.text
        )
    few = matrix.drop(index=matrix.loc[[DAYS[1]]].index[1:])
    with pytest.warns(RuntimeWarning, match="2 of 4 intervals .*: 2026-11-18 .1 row., 2026-11-20"):
        calculate_relevance_table(few, y, per_window="interval", show_warnings=True)


@pytest.mark.parametrize("min_share", [1 / 3, 0.5, 2 / 3])
def test_columns_are_chosen_by_the_share_of_intervals(sink, matrix, min_share):
    y = worn("numbers")
    options = {"per_window": "interval", "min_share": min_share}
    for source, whole in ((sink, tidemill.read_matrix(sink)), (matrix, matrix)):
        table = calculate_relevance_table(source, y, **options)
        chosen = select_features(source, y, **options)
        names = list(table["feature"][table["share"] >= min_share])
        assert list(chosen.columns) == names
        pd.testing.assert_frame_equal(chosen, whole[names], check_exact=True)
        assert table["n_relevant"].is_monotonic_decreasing


def test_a_sink_may_be_tested_as_a_whole(sink):
    y = worn("two classes")
    whole = tidemill.read_matrix(sink)
    usable = impute(whole.loc[:, np.isfinite(whole).any()].copy())
    every = pd.Series(y.loc[usable.index.get_level_values(1)].to_numpy(), index=usable.index)
    expected = calculate_relevance_table(usable, every)
    table = calculate_relevance_table(sink, y)
    assert table["type"].iloc[-1] == "empty"
    own = table.loc[expected.index, expected.columns]
    pd.testing.assert_frame_equal(own, expected, check_dtype=False)
    assert set(select_features(sink, y)) == set(select_features(usable, every))


def test_ids_without_a_target_are_left_out_of_a_table_and_refused_in_a_frame(sink, matrix):
    y = worn("two classes").iloc[:30]
    table = calculate_relevance_table(sink, y, per_window="interval")
    frames = {
        day: impute(one.loc[:, np.isfinite(one).any()].copy())
        for day in TESTED
        for one in [tidemill.read_matrix(sink, day).iloc[:30]]
    }
    assert_is_of(table, by_hand(frames, dict.fromkeys(TESTED, y)))
    with pytest.raises(SelectionError, match="y has no value for 30 rows of X: drop them"):
        calculate_relevance_table(matrix, y, per_window="interval")


def test_intervals_of_hours_are_named_by_date_and_time():
    rng = np.random.default_rng(1)
    hours = pd.date_range("2026-11-17", periods=2, freq="1h", tz="Europe/Berlin")
    index = pd.MultiIndex.from_product([hours, range(30)], names=["interval", "id"])
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": range(60)}, index=index)
    y = pd.Series(np.arange(30) >= 15)
    table = calculate_relevance_table(frame, y, per_window="interval")
    assert [name for name in table if name.startswith("p_")] == [
        "p_value_2026-11-17 00:00", "p_value_2026-11-17 01:00",
    ]  # fmt: skip
    assert list(table["feature"][table["relevant"]]) == ["b"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": pd.DataFrame({"a": [1.0, 2, 3]})}, "needs an index with the level 'interval'"),
        ({"per_window": "day"}, "per_window='day' is not allowed"),
        ({"min_share": 2}, "min_share=2 is not allowed"),
        ({"y": worn("two classes").to_numpy()}, "y=ndarray is not supported"),
        ({"y": pd.concat([worn("two classes")] * 2)}, r"y has several values for 0, 1, .*; keep"),
        ({"y": pd.Series(True, index=range(PUMPS))}, "no interval can be tested: 2026-11-17"),
        (
            {"y": pd.Series([1], index=pd.MultiIndex.from_tuples([(1, 2, 3)]))},
            "y has an index of 3 levels",
        ),
    ],
    ids=["no interval", "window", "share", "array", "twice", "constant", "levels"],
)
@pytest.mark.parametrize("kind", ["frame", "sink"])
def test_what_cannot_be_used_is_refused(sink, matrix, kind, change, sentence):
    given = {"X": sink if kind == "sink" else matrix, "y": worn("two classes")}
    with pytest.raises(InputError, match=sentence):
        calculate_relevance_table(**{**given, "per_window": "interval", **change})


def test_options_of_a_sink_are_refused_for_a_frame(matrix):
    with pytest.raises(SelectionError, match="storage_options is for a path or URL as X"):
        calculate_relevance_table(matrix, worn("two classes"), storage_options={})


def test_a_table_in_an_object_store_is_tested_like_one_on_disk(sink, tmp_path, s3):
    url, options, _ = s3
    write_table(tmp_path, sink=f"{url}/table", storage_options=options)
    y = worn("numbers")
    given = {"per_window": "interval", "min_share": 0.6}
    pd.testing.assert_frame_equal(
        calculate_relevance_table(f"{url}/table", y, storage_options=options, **given),
        calculate_relevance_table(sink, y, **given),
        check_exact=True,
    )
    chosen = select_features(f"{url}/table", y, storage_options=options, **given)
    pd.testing.assert_frame_equal(chosen, select_features(sink, y, **given), check_exact=True)
