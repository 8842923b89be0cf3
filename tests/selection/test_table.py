"""Columns chosen from a table, some at a time: those that are chosen from the whole matrix."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import ArgumentError, SelectionError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.selection import calculate_relevance_table, impute, select_features
from tidemill.selection.table import select_from_table
from tidemill.selection.table_request import selection_request
from tidemill.storage.read_matrix import read_matrix

from ..support.worn_pumps import DAYS, worn, write_table

PUMPS = 90
SETTINGS = {
    **dict.fromkeys(("mean", "variance", "minimum", "maximum", "length", "kurtosis")),
    "quantile": [{"q": q / 10} for q in range(1, 10)],
    "fft_coefficient": [{"attr": "abs", "coeff": coeff} for coeff in (*range(1, 19), 99)],
    "large_standard_deviation": [{"r": r / 20} for r in range(1, 10)],
    "agg_autocorrelation": [{"f_agg": "mean", "maxlag": lag} for lag in (5, 40)],
}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """A table of features of pumps, every third of which is worn."""
    rng = np.random.default_rng(4)
    folder = tmp_path_factory.mktemp("pumps")
    frame = pd.DataFrame({"pump": np.repeat(range(PUMPS), 40), "time": np.tile(range(40), PUMPS)})
    frame["force"] = rng.normal(size=len(frame)) * (1 + (frame["pump"] % 3 == 0))
    frame.to_parquet(folder / "pumps.parquet")
    wanted = {"column_id": "pump", "column_sort": "time", "settings": SETTINGS}
    extract_here(make_request(folder / "pumps.parquet", folder / "matrix", **wanted))
    return folder / "matrix"


@pytest.fixture
def choose(matrix, tmp_path):
    def choose(target, **more):
        pq.write_table(pa.table(target), tmp_path / "target.parquet")
        given = {"matrix": str(matrix), "target": str(tmp_path / "target.parquet")}
        names = {"column_target": "y"}
        return select_from_table(selection_request({**given, **names, **more}))

    return choose


def in_memory(matrix, y, **more):
    """The relevance table of all columns that hold a finite value, and those chosen."""
    X = read_matrix(matrix).loc[y.index]  # noqa: N806
    X = impute(X.loc[:, np.isfinite(X).any()].copy())  # noqa: N806
    return calculate_relevance_table(X, y, **more), set(select_features(X, y, **more))


def targets(kind):
    pumps = np.arange(PUMPS)
    rng = np.random.default_rng(6)
    return {
        "two classes": pumps % 3 == 0,
        "three classes": pumps % 3,
        "texts": np.array(["new", "used", "worn"])[pumps % 3],
        "numbers": (pumps % 3 == 0) + rng.normal(size=PUMPS),
    }[kind]


@pytest.mark.parametrize("kind", ["two classes", "three classes", "texts", "numbers"])
@pytest.mark.parametrize("max_bytes", [1, 15_000, None])
def test_any_batches_choose_what_the_whole_matrix_does(matrix, choose, kind, max_bytes):
    y = pd.Series(targets(kind), index=range(PUMPS))
    table, chosen = in_memory(matrix, y)
    found = choose({"pump": y.index, "y": y.to_numpy()}, max_bytes=max_bytes)
    assert set(found.chosen) == chosen
    assert len(chosen) > 5
    own = found.relevance.set_index("feature")
    np.testing.assert_array_equal(own.loc[table.index, "p_value"], table["p_value"])
    assert list(own.loc[table.index, "type"]) == list(table["type"])
    assert (found.batches > 1) == (max_bytes is not None)


@pytest.mark.parametrize(
    "more",
    [
        {"multiclass": True, "n_significant": 2},
        {"fdr_level": 0.3, "hypotheses_independent": True},
        {"test_for_binary_target_real_feature": "smir"},
        {"ml_task": "regression"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_options_mean_what_they_mean_in_memory(matrix, choose, more):
    y = pd.Series(targets("three classes"), index=range(PUMPS))
    table, chosen = in_memory(matrix, y, **more)
    found = choose({"pump": y.index, "y": y.to_numpy()}, **more)
    assert set(found.chosen) == chosen
    own = found.relevance.set_index("feature").loc[table.index, table.columns.drop("feature")]
    pd.testing.assert_frame_equal(own, table.drop(columns="feature"), check_dtype=False)


def test_at_most_so_many_are_chosen_and_they_are_the_most_relevant(choose):
    y = {"pump": range(PUMPS), "y": targets("two classes")}
    everything, few = choose(y), choose(y, max_features=7)
    assert few.chosen == everything.chosen[:7]
    assert few.relevant == everything.relevant == len(everything.chosen)
    p_values = everything.relevance.set_index("feature").loc[list(everything.chosen), "p_value"]
    assert p_values.is_monotonic_increasing
    assert few.relevance["chosen"].sum() == 7
    assert (
        f"7 of {len(few.relevance)} features chosen, of {few.relevant} relevant ones"
        in few.verdict.text
    )


def test_what_cannot_be_tested_is_told(choose):
    found = choose({"pump": range(PUMPS), "y": targets("two classes")})
    empty, constant = found.names_of("empty"), found.names_of("constant")
    assert 'force__fft_coefficient__attr_"abs"__coeff_99' in empty
    assert "force__length" in constant
    assert f"dropped: {len(empty)} without a finite value, {len(constant)} cons" in (
        found.verdict.text
    )
    own = found.relevance.set_index("feature")
    assert not own.loc[[*empty, *constant], "relevant"].any()
    assert own.loc[empty, "imputed"].eq(PUMPS).all()


def test_rows_and_targets_without_each_other_are_counted(choose, matrix):
    pumps = np.arange(10, PUMPS + 25)
    found = choose({"pump": pumps, "y": pumps % 3 == 0})
    assert (found.rows, found.rows_without_target, found.targets_without_row) == (80, 10, 25)
    y = pd.Series(pumps[:80] % 3 == 0, index=pumps[:80])
    assert set(found.chosen) == in_memory(matrix, y)[1]


def test_ids_without_a_common_one_are_refused_with_examples(choose):
    with pytest.raises(ArgumentError, match=r"has no id of .*: it has 500, 501 .*, and the matrix"):
        choose({"pump": [500, 501], "y": [True, False]})


def test_ids_of_the_target_may_have_another_name_and_are_as_many(choose):
    y = targets("two classes")
    assert choose({"machine": range(PUMPS), "y": y}, column_id="machine").rows == PUMPS
    with pytest.raises(ArgumentError, match="name one column of the target for each"):
        choose({"a": range(PUMPS), "b": range(PUMPS), "y": y}, column_id=["a", "b"])


def test_a_target_that_says_nothing_chooses_nothing_and_warns(choose):
    rng = np.random.default_rng(0)
    found = choose({"pump": range(PUMPS), "y": rng.random(PUMPS) < 0.5})
    assert found.chosen == ()
    assert found.verdict.text.startswith("Completed, 1 warning: no feature is relevant")


def test_classes_that_may_be_numbers_are_noticed(choose):
    found = choose({"pump": range(PUMPS), "y": range(PUMPS)}, max_bytes=10**9)
    assert "the target has 90 classes; if it is a number" in found.verdict.text


def test_a_target_of_one_class_or_options_that_do_not_fit_are_refused(choose):
    with pytest.raises(SelectionError):
        choose({"pump": range(PUMPS), "y": targets("numbers")}, multiclass=True)


def test_a_target_of_one_value_is_refused(choose):
    with pytest.raises(ArgumentError, match=r"only one value for the 30 rows of .*: give two"):
        choose({"pump": range(0, PUMPS, 3), "y": [True] * 30})


def test_a_matrix_without_intervals_has_none_to_test(choose):
    with pytest.raises(ArgumentError, match=r"per_window='interval' is not allowed: .* is not d"):
        choose({"pump": range(PUMPS), "y": targets("two classes")}, per_window="interval")


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("days"))


@pytest.fixture
def choose_by_day(days, tmp_path):
    def choose_by_day(target, **more):
        path = tmp_path / "target.parquet"
        target.reset_index().to_parquet(path, index=False)
        given = {"matrix": days, "target": str(path), "column_target": "y"}
        return select_from_table(selection_request({**given, "per_window": "interval", **more}))

    return choose_by_day


@pytest.mark.parametrize("max_bytes", [1, 3_000, None])
def test_any_batches_choose_the_same_in_each_interval(days, choose_by_day, max_bytes):
    y = worn("two classes")
    found = choose_by_day(y, max_bytes=max_bytes, min_share=0.6)
    table = calculate_relevance_table(days, y, per_window="interval", min_share=0.6)
    own = found.relevance.drop(columns="chosen")
    pd.testing.assert_frame_equal(own, table.reset_index(drop=True), check_exact=True)
    assert list(found.chosen) == list(table["feature"][table["relevant"]])
    assert found.batches == 3 * -(-len(own) // {1: 1, 3_000: 4, None: 10**6}[max_bytes])
    assert [(one.label, one.rows, one.untested) for one in found.windows] == [
        ("2026-11-17", 40, ""), ("2026-11-18", 40, ""), ("2026-11-19", 40, ""),
        ("2026-11-20", 1, "1 row"),
    ]  # fmt: skip
    text = f"{len(found.chosen)} of {len(own)} features chosen, relevant in 0.6 of 3 intervals or "
    assert text in found.verdict.reason
    assert found.warnings == (
        "1 of 4 intervals could not be tested and do not count: 2026-11-20 (1 row)",
    )


def test_at_most_so_many_of_most_intervals_are_chosen(choose_by_day):
    every, few = (choose_by_day(worn("numbers"), max_features=n) for n in (None, 4))
    assert few.chosen == every.chosen[:4]
    counts = every.relevance.set_index("feature")["n_relevant"]
    assert counts[list(every.chosen)].is_monotonic_decreasing


def test_some_intervals_may_be_chosen(choose_by_day):
    found = choose_by_day(worn("two classes"), interval="2026-11-17/2026-11-19", min_share=1)
    assert [one.label for one in found.windows] == ["2026-11-17", "2026-11-18"]
    assert len(found.chosen) > 5


def test_rows_without_a_target_count_for_the_memory(days, choose_by_day):
    y = worn("two classes").iloc[:20]
    batches = [
        choose_by_day(y, max_bytes=3_000, per_window=way).batches for way in ("interval", None)
    ]
    columns = len(choose_by_day(y).relevance)
    assert batches == [3 * -(-columns // 4), -(-columns // 3)]  # of 40 rows; of 61


def test_targets_of_each_interval_come_from_a_column_of_the_file(days, choose_by_day):
    y = worn("two classes")
    every = pd.concat([y, ~y, y], keys=DAYS[:3], names=["day", "id"]).rename("y")
    found = choose_by_day(every, column_interval="day", min_share=0.6)
    table = calculate_relevance_table(days, every, per_window="interval", min_share=0.6)
    assert list(found.chosen) == list(table["feature"][table["relevant"]])
    pooled = choose_by_day(every, column_interval="day", per_window=None)
    assert (pooled.rows, pooled.windows) == (120, ())
    own = calculate_relevance_table(days, every)
    assert set(pooled.chosen) == set(own["feature"][own["relevant"]])
    with pytest.raises(ArgumentError, match="has several rows for the ids"):
        choose_by_day(every)


@pytest.mark.parametrize("targets", [100_000, 20])
def test_memory_is_bounded(tmp_path, targets):
    """A matrix of 64 MB is tested with 4 MB of values at a time, however few rows have a target."""
    names = [f"x__quantile__q_{place}" for place in range(80)]
    rng = np.random.default_rng(3)
    path, rows = tmp_path / "matrix.parquet", 100_000
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in names)])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for first in range(0, rows, 20_000):
            ids = np.arange(first, first + 20_000)
            columns = dict(zip(names, rng.normal(size=(len(names), 20_000)), strict=True))
            writer.write_table(pa.table({"id": ids, **columns}, schema=schema))
    target = pa.table({"id": np.arange(targets), "y": np.arange(targets) % 2 == 0})
    pq.write_table(target, tmp_path / "y.parquet")
    request = selection_request(
        {
            "matrix": path, "target": tmp_path / "y.parquet", "column_target": "y",
            "max_bytes": 4_000_000,
        }
    )  # fmt: skip
    pool, before = pa.system_memory_pool(), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        found = select_from_table(request)
        peak = tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert found.batches == 40
    assert path.stat().st_size > 60e6
    assert peak < 32e6
