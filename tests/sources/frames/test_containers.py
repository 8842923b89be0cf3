"""The pandas door reads tsfresh's three formats as tsfresh does, and refuses what it cannot."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tsfresh.feature_extraction.data import to_tsdata

from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.model.policies import Policies
from tidemill.sources.frames.containers import has_time_index, read_frame, to_frame
from tidemill.sources.frames.ids import id_dtype

OMIT = Policies(on_nan="omit")
QUARANTINE = Policies(on_nan="quarantine")


def small():
    return pd.DataFrame({"id": [2, 2, 1], "time": [1, 0, 0], "x": [1.0, 2.0, 3.0]})


#: pandas columns of ids made of small integers, in the integers' order.
ID_TYPES = {
    "int64": lambda n: pd.Series(n, dtype="int64"),
    "negative": lambda n: pd.Series(n, dtype="int16") - 3,
    "uint8": lambda n: pd.Series(n, dtype="uint8"),
    "nullable": lambda n: pd.Series(n, dtype="Int32"),
    "arrow": lambda n: pd.Series(n, dtype="int64[pyarrow]"),
    "float": lambda n: pd.Series(n, dtype="float32") / 2,
    "bool": lambda n: pd.Series(n, dtype="int64") > 2,
    "string": lambda n: pd.Series([f"é{one}" for one in n]),
    "object": lambda n: pd.Series([f"s{one}" for one in n], dtype=object),
    "category": lambda n: pd.Series(pd.Categorical([f"c{one}" for one in n])),
    "own order": lambda n: pd.Series(
        pd.Categorical([f"c{one}" for one in n], categories=[f"c{9 - one}" for one in range(10)])
    ),
    "date": lambda n: pd.Series([dt.date(2020, 2, 26) + dt.timedelta(one) for one in n]),
    "zone": lambda n: pd.Series(
        pd.Timestamp("2020-03-29", tz="Europe/Berlin") + pd.to_timedelta(list(n), unit="h")
    ),
    "nanoseconds": lambda n: pd.Series(n).astype("datetime64[s]").astype("datetime64[ns]"),
}


@st.composite
def frames(draw):
    """A wide frame in random order, with a sort column that is unique in each id."""
    n = draw(st.integers(1, 30))
    ids = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    numbers = st.lists(st.floats(-100, 100), min_size=n, max_size=n)
    return pd.DataFrame(
        {
            "y": draw(numbers),
            "id": ID_TYPES[draw(st.sampled_from(sorted(ID_TYPES)))](ids),
            "time": draw(st.permutations(range(n))),
            "x": draw(numbers),
        }
    )


def by_tsfresh(container, **columns):
    """{(id, kind): values} as tsfresh reads them."""
    series = to_tsdata(container, **columns)
    return {(one.id, str(one.kind)): one.data.tolist() for one in series}


def series(block, place):
    return block.values[block.starts[place] : block.stops[place]]  # noqa: PD011 (a block)


def by_tidemill(container, **arguments):
    """{(id, kind): values} of the batch, its ids as the frame to be returned has them."""
    batch = read_frame(container, **arguments)
    dtype = id_dtype(container, arguments["column_id"])
    index = pd.Index(batch.ids.to_pandas()).astype(dtype)
    return {
        (id_, kind): series(block, place).tolist()
        for place, id_ in enumerate(index)
        for kind, block in batch.blocks.items()
        if kind not in batch.present or batch.present[kind][place]
    }


def as_long(frame):
    return frame.melt(["id", "time"], ["y", "x"], "kind", "value")


@settings(max_examples=150)
@given(frames(), st.booleans(), st.sampled_from(["wide", "one", "long", "dict"]), st.randoms())
def test_every_format_is_read_as_tsfresh_reads_it(frame, is_sorted, form, random):
    columns = {"column_id": "id", "column_sort": "time" if is_sorted else None}
    container = frame if is_sorted else frame.drop(columns="time")
    if form == "one":
        columns["column_value"] = "x"
    if form == "long":
        container = as_long(frame).sample(frac=0.8, random_state=random.randint(0, 99))
        container = container if len(container) else as_long(frame)
        columns |= {"column_sort": "time", "column_kind": "kind", "column_value": "value"}
    if form == "dict":
        container = {"b": frame, "a": frame.iloc[: len(frame) // 2 + 1]}
        columns |= {"column_sort": "time", "column_value": "x"}
    assert by_tidemill(container, **columns) == by_tsfresh(container, **columns)


@settings(max_examples=100)
@given(frames(), st.sampled_from(["omit", "quarantine"]), st.data())
def test_policies_give_what_pandas_gives(frame, on_nan, data):
    holes = data.draw(st.lists(st.booleans(), min_size=len(frame), max_size=len(frame)))
    frame["id"] = frame["id"].astype(str)
    frame["time"] = frame["time"] // 3
    frame.loc[holes, "x"] = np.nan
    policies = Policies(on_nan=on_nan, on_duplicate="last")
    found = by_tidemill(frame, column_id="id", column_sort="time", policies=policies)
    expected = {}
    clean = frame.sort_values("time", kind="stable").drop_duplicates(["id", "time"], keep="last")
    for id_, rows in clean.groupby("id"):
        for kind in ("y", "x"):
            values = rows[kind].dropna().tolist()
            if values and (on_nan == "omit" or not rows["x"].hasnans):
                expected[id_, kind] = values
    assert found == expected


@pytest.mark.parametrize("name", sorted(ID_TYPES))
def test_the_index_is_that_of_tsfresh(name):
    from tsfresh import extract_features

    frame = pd.DataFrame({"id": ID_TYPES[name]([4, 0, 3, 3]), "x": [1.0, 2.0, 3.0, 5.0]})
    features = extract_features(
        frame, {"mean": None}, column_id="id", n_jobs=0, disable_progressbar=True
    )
    batch = read_frame(frame, column_id="id")
    block = batch.blocks["x"]
    means = [series(block, place).mean() for place in range(len(batch.ids))]
    matrix = np.reshape(means, (-1, 1))
    ours = to_frame(batch.ids, ["x__mean"], matrix, dtype=id_dtype(frame, "id"))
    pd.testing.assert_frame_equal(ours, features)


def test_the_index_takes_a_name():
    assert to_frame(pa.array([1]), ["x"], np.zeros((1, 1)), name="id").index.name == "id"


def test_kinds_come_in_the_order_of_columns_and_of_keys():
    frame = small().assign(a=1)[["x", "id", "a", "time"]]
    assert list(read_frame(frame, column_id="id", column_sort="time").blocks) == ["x", "a"]
    frames = {"z": small(), "b": small()}
    batch = read_frame(frames, column_id="id", column_sort="time", column_value="x")
    assert list(batch.blocks) == ["z", "b"]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["b", "a", "c"], ["a", "b", "c"]),
        ([10, 9, 11], ["9", "10", "11"]),
        ([1.5, 0.0, 1.0], ["0.0", "1.0", "1.5"]),
        ([True, False, True], ["False", "True"]),
        (pd.Categorical(list("bac"), categories=list("dcba")), ["c", "b", "a"]),
        (pd.array(["b", "a", "c"], "string"), ["a", "b", "c"]),
        (pd.to_datetime(["2021", "2020", "2022"]), [f"202{n}-01-01 00:00:00" for n in range(3)]),
    ],
)
def test_kinds_of_the_long_format_are_sorted_and_named_as_in_tsfresh(kinds, expected):
    frame = small().assign(kind=kinds)
    columns = {"column_id": "id", "column_kind": "kind", "column_value": "x"}
    assert list(read_frame(frame, **columns).blocks) == expected
    ours = by_tidemill(frame, **columns)
    assert ours == by_tsfresh(frame.assign(kind=frame["kind"].astype(object)), **columns)


def test_ids_that_lack_a_kind_are_not_present():
    frames = {"a": small(), "b": small().query("id == 1"), "c": small().assign(id=7)}
    batch = read_frame(frames, column_id="id", column_value="x")
    assert batch.ids.to_pylist() == [1, 2, 7]
    present = {kind: has.tolist() for kind, has in batch.present.items()}
    assert present == {
        "a": [True, True, False], "b": [True, False, False], "c": [False, False, True],
    }  # fmt: skip
    assert batch.blocks["b"].lengths.tolist() == [1, 0, 0]


def test_quarantine_in_one_frame_of_a_dict_takes_the_id_out_of_all():
    bad = small().assign(x=[1.0, np.nan, 2.0])
    batch = read_frame(
        {"a": small(), "b": bad}, column_id="id", column_value="x", policies=QUARANTINE
    )
    assert batch.ids.to_pylist() == [1]
    assert [(one.id, one.kind) for one in batch.quarantined] == [(2, "b")]
    assert [block.n_series for block in batch.blocks.values()] == [1, 1]


def test_frames_of_a_dict_may_have_integers_of_several_widths():
    frames = {"a": small(), "b": small().astype({"id": "int8"})}
    batch = read_frame(frames, column_id="id", column_value="x")
    assert batch.ids.to_pylist() == [1, 2]
    assert not batch.present


def test_integers_beyond_int64_are_magnitudes():
    """tsfresh's own tests have Fibonacci numbers up to 2.8e41 in a column of objects."""
    column = pd.Series([1, 2**70, 3**90], dtype=object)
    block = read_frame(pd.DataFrame({"id": 1, "x": column}), column_id="id").blocks["x"]
    assert series(block, 0).tolist() == [1.0, float(2**70), float(3**90)]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([2**70, "5"], "beside large integers it holds str"),
        ([1, 10**400], "int too large to convert to float"),
        ([1, 2**60], r"1152921504606846976; float64 is exact up to 2\*\*53"),
    ],
)
def test_other_large_integers_are_refused(column, says):
    frame = pd.DataFrame({"id": 1, "x": pd.Series(column, dtype=object)})
    with pytest.raises((SourceError, DataError), match=says):
        read_frame(frame, column_id="id")


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3], "Int64"),
        pd.array([1.5, None, 3], "Float32"),
        pd.array([1.5, None, 3], "double[pyarrow]"),
        pd.array([True, None, False], "boolean"),
        np.array([True, False, True]),
        np.array([1.5, np.nan, 3], ">f8"),
        np.array([Decimal("0.1"), None, Decimal(2)], object),
        np.array([1, None, 2.5], object),
        pd.arrays.SparseArray([0.0, 1.0, np.nan]),
        pd.Categorical([3, 1, None]),
    ],
    ids=lambda column: f"{type(column).__name__} {column.dtype}",
)
def test_numbers_of_every_dtype_are_read(column):
    frame = pd.DataFrame({"id": [1, 1, 1], "x": column})
    ((_, values),) = by_tidemill(frame, column_id="id", policies=OMIT).items()
    assert values == [float(one) for one in frame["x"] if not pd.isna(one)]


def test_a_frame_of_float64_is_not_copied():
    values = np.arange(4.0)
    frame = pd.DataFrame({"id": [1, 1, 2, 2], "x": values}, copy=False)
    block = read_frame(frame, column_id="id").blocks["x"]
    assert np.shares_memory(block.values, frame["x"].to_numpy())


def test_categories_sort_in_their_own_order():
    frame = small().assign(time=pd.Categorical(["lo", "hi", "hi"], categories=["hi", "lo"]))
    columns = {"column_id": "id", "column_sort": "time"}
    assert by_tidemill(frame, **columns) == by_tsfresh(frame, **columns)


def test_times_come_from_the_index_and_else_from_the_sort_column():
    days = pd.to_datetime(["2020-01-03", "2020-01-02", "2020-01-01"])
    arguments = {"column_id": "id", "column_value": "x", "needs_times": True}
    indexed = small().set_index(days)
    batch = read_frame(indexed, column_sort="time", **arguments)
    day = 86_400 * 10**9
    start = pd.Timestamp("2020-01-01").value
    assert ((batch.blocks["x"].times - start) // day).tolist() == [0, 1, 2]
    assert [series(batch.blocks["x"], place).tolist() for place in (0, 1)] == [[3.0], [2.0, 1.0]]
    dated = small().assign(time=days)
    batch = read_frame(dated, column_sort="time", **arguments)
    assert ((batch.blocks["x"].times - start) // day).tolist() == [0, 1, 2]
    unsorted = read_frame(indexed, **arguments).blocks["x"]  # rows keep their order, as in tsfresh
    assert ((unsorted.times[unsorted.starts[1] : unsorted.stops[1]] - start) // day).tolist() == [
        2,
        1,
    ]
    assert [has_time_index(one) for one in (indexed, dated, {"a": indexed})] == [True, False, True]
    with pytest.raises(SourceError, match=r"needs times, but 'time' is int64"):
        read_frame(small(), column_sort="time", **arguments)


@pytest.mark.parametrize(
    "times", [["01.02.2026", "02.01.2026", "01.02.2026"], ["10", "9", "8"], ["9:30"] * 3]
)
def test_times_and_numbers_as_text_do_not_sort(times):
    with pytest.raises(SourceError, match=r"timeseries_container: column 'time'.*with pandas\.to_"):
        read_frame(small().assign(time=times), column_id="id", column_sort="time")


def test_levels_of_the_index_may_have_roles():
    frame = small().assign(y=[4.0, 5.0, 6.0])
    columns = {"column_id": "id", "column_sort": "time"}
    wanted = by_tidemill(frame, **columns)
    for index in (["id"], ["time"], ["id", "time"]):
        assert by_tidemill(frame.set_index(index), **columns) == wanted
    indexed = {"x": frame[["id", "time", "x"]].set_index("time")}
    assert by_tidemill(indexed, **columns) == by_tidemill(frame, column_value="x", **columns)


def test_a_list_names_the_kinds_of_the_wide_format():
    frame = small().assign(y=1.0, z=2.0)
    batch = read_frame(frame, column_id=["id"], column_sort="time", column_value=["z", "x"])
    assert list(batch.blocks) == ["z", "x"]
    assert batch.ids.to_pylist() == [1, 2]


def test_labels_need_not_be_strings():
    frame = pd.DataFrame(np.arange(8.0).reshape(4, 2))
    batch = read_frame(frame, column_id=0)
    assert list(batch.blocks) == ["1"]


def joined(frame):
    return pd.concat({"a": frame}, axis=1)


REFUSED = [
    (small(), {"column_id": None}, ArgumentError, "column_id=None: name the column"),
    (small(), {"column_id": "ID"}, ArgumentError, "column_id='ID' is not a column .*; choose"),
    (small(), {"column_sort": "tme"}, ArgumentError, "column_sort='tme'.*did you mean 'time'"),
    (small(), {"column_value": ["x", "y"]}, ArgumentError, "column_value='y' is not a column"),
    (small(), {"column_sort": "id"}, ArgumentError, "column_id and column_sort are both 'id'"),
    (small(), {"column_kind": "x"}, ArgumentError, "column_value=None.*0 columns.*none"),
    (
        small().assign(y=1, k="a"),
        {"column_kind": "k"},
        ArgumentError,
        "column_value=None.*2 columns without a role.*'x', 'y'",
    ),
    (small()[["id"]], {"column_sort": None}, ArgumentError, "0 columns without a role"),
    (small()[:0], {}, SourceError, r"is empty \(shape \(0, 3\)\)"),
    (joined(small()), {}, SourceError, "columns of 2 levels"),
    (small().set_axis(["id", "time", "time"], axis=1), {}, SourceError, "several columns .*'time'"),
    (small()["x"], {}, ArgumentError, "is a Series, but must be a pandas DataFrame"),
    ("file.parquet", {}, ArgumentError, "is a str"),
    (small().rename(columns={"x": "x__y"}), {}, SourceError, "'x__y'.*rename"),
    (small().assign(**{"1": 1}).rename(columns={"x": 1}), {}, SourceError, "read as '1'"),
    (small().assign(x="a"), {}, SourceError, "column 'x' has type .*string.*cast it to a number"),
    (small().assign(x=1j), {}, SourceError, "column 'x' of dtype complex128.*cast"),
    (small().assign(x=[1, "a", 2]), {}, SourceError, "column 'x' of dtype object"),
    (small().assign(x=pd.Timestamp(0)), {}, SourceError, "column 'x' has type timestamp"),
    (small().assign(x=pd.Timedelta(1)), {}, SourceError, "column 'x' has type duration"),
    (small().assign(x=pd.Period("2020")), {}, SourceError, "column 'x' has type extension"),
    (small().assign(id=[1, "a", 2]), {}, SourceError, r"'id' holds ids of mixed .*\(int, str\)"),
    (small().assign(id=[1, True, 2]).astype({"id": object}), {}, SourceError, r"\(bool, int\)"),
    (small().assign(id=[(1, 2)] * 3), {}, SourceError, r"compound type \(tuple\).*map\(str\)"),
    (
        small().assign(id=[dt.date(2020, 1, 1), pd.Timestamp(0), None]),
        {},
        SourceError,
        r"mixed.*\(Timestamp, date\)",
    ),
    (small().assign(id=[1, None, 2]), {}, DataError, "'id' is null in 1 of 3 rows"),
    (small().assign(id=["a", None, "b"]), {}, DataError, "'id' is null in 1 of 3 rows"),
    (small().assign(id=[Decimal(1)] * 3), {}, SourceError, "ids of type decimal"),
    (small().assign(time=[1, None, 2]), {}, DataError, "'time' is null in 1 of 3 rows"),
    (
        small().assign(time=pd.Categorical(["a", None, "a"])),
        {},
        DataError,
        "'time' is null in 1 of 3 rows",
    ),
    (small().assign(time=[1, "a", 2]), {}, SourceError, "column 'time' of dtype object"),
    (small().assign(x=[1, np.inf, 2]), {}, DataError, "column 'x' holds 1 null, NaN or infinite"),
    (small().assign(time=0), {}, DataError, r"1 row has the same id.*\(id=2, time=0\)"),
    (small().assign(k=["a", None, "b"]), {"column_kind": "k"}, DataError, "'k' is null in 1"),
    (small().assign(k="a__b"), {"column_kind": "k"}, SourceError, "column_kind='k': .*'a__b'"),
    (small().assign(k=[1, "a", 2]), {"column_kind": "k"}, SourceError, "'k' of dtype object"),
    ({}, {}, SourceError, "empty dict"),
    ({"a": small()}, {"column_kind": "k"}, ArgumentError, "column_kind='k' has no meaning"),
    ({"a": small().assign(y=1)}, {}, ArgumentError, r"\['a'\] must have one column .* has 2"),
    ({"a": small(), "b": small()[:0]}, {}, SourceError, r"timeseries_container\['b'\] is empty"),
    ({"a_": small()}, {}, SourceError, "keys of timeseries_container: .*'a_'"),
    ({1: small(), "1": small()}, {}, SourceError, "several kinds read as '1'"),
    (
        {"a": small(), "b": small().astype({"id": str})},
        {},
        SourceError,
        "several types: int64 in 'a', string in 'b'; cast them to one",
    ),
]


@pytest.mark.parametrize(("container", "changes", "error", "message"), REFUSED)
def test_bad_input_is_refused_with_the_remedy(container, changes, error, message):
    arguments = {"column_id": "id", "column_sort": "time", **changes}
    with pytest.raises(error, match=message):
        read_frame(container, **arguments)


def test_no_other_module_of_the_sources_imports_pandas():
    code = (
        "import sys, tidemill.sources.rows.assemble\n"
        "assert 'pandas' not in sys.modules and 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
