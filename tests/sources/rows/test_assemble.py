"""Rows in any order become the same series as a slow, obvious version makes of them."""

import datetime as dt
import itertools
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.errors import DataError, SourceError
from tidemill.model.policies import Policies
from tidemill.sources.rows import ordering
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.casts import check_ids

KINDS = ("a", "b", "c")
DAY = dt.date(2020, 2, 28)
STAMP = dt.datetime(2020, 3, 1)  # noqa: DTZ001
HOUR = dt.timedelta(hours=1)

#: Arrow arrays of ids made of small integers, in the integers' order.
ID_TYPES = {
    "int64": lambda n: pa.array(n, pa.int64()),
    "negative int8": lambda n: pa.array([one - 100 for one in n], pa.int8()),
    "uint32": lambda n: pa.array(n, pa.uint32()),
    "far apart": lambda n: pa.array([(one - 3) * 10**17 for one in n], pa.int64()),
    "float": lambda n: pa.array([one / 2 for one in n], pa.float64()),
    "string": lambda n: pa.array([f"é{one}" for one in n], pa.string()),
    "large string": lambda n: pa.array([f"s{one}" for one in n], pa.large_string()),
    "dictionary": lambda n: pa.DictionaryArray.from_arrays(
        pa.array([5 - one for one in n], pa.int8()), pa.array(list("fedcba"))
    ),
    "date": lambda n: pa.array([DAY + dt.timedelta(one) for one in n], pa.date32()),
    "timestamp": lambda n: pa.array([STAMP + one * HOUR for one in n], pa.timestamp("ns", "CET")),
    "boolean": lambda n: pa.array([one > 2 for one in n], pa.bool_()),
}
SORT_TYPES = {
    "int64": lambda n: pa.array(n, pa.int64()),
    "uint64": lambda n: pa.array([one + 2**63 for one in n], pa.uint64()),
    "extremes": lambda n: pa.array([one * 2**56 - 2**63 for one in n], pa.int64()),
    "float": lambda n: pa.array([one * 0.1 for one in n], pa.float64()),
    "string": lambda n: pa.array([f"t{one:03}" for one in n], pa.string()),
    "timestamp": lambda n: pa.array([STAMP + one * HOUR for one in n], pa.timestamp("us")),
}


@dataclass(frozen=True)
class Case:
    ids: list[int]
    kinds: list[str]
    sort: list[int] | None
    values: list[float]
    chunks: int

    def column(self, array):
        cuts = [len(array) * part // self.chunks for part in range(self.chunks + 1)]
        return pa.chunked_array([array[a:b] for a, b in itertools.pairwise(cuts)], array.type)


@st.composite
def cases(draw):
    """Rows in runs of one id and kind: long runs, runs in pieces, and single rows."""
    run = st.tuples(st.integers(0, 5), st.sampled_from(KINDS), st.integers(1, 8))
    runs = draw(st.lists(run, min_size=1, max_size=20))
    rows = [(id_, kind) for id_, kind, length in runs for _ in range(length)]
    if draw(st.booleans()):
        rows.sort()
    n = len(rows)
    sort = draw(st.none() | st.lists(st.integers(0, 4), min_size=n, max_size=n))
    if sort is None and draw(st.booleans()):
        sort = draw(st.permutations(range(n)))
    bad = st.sampled_from([np.nan, np.inf, -np.inf])
    number = st.floats(-1e6, 1e6)
    value = number if draw(st.booleans()) else st.one_of(number, number, number, bad)
    values = draw(st.lists(value, min_size=n, max_size=n))
    ids, kinds = zip(*rows, strict=True)
    return Case(list(ids), list(kinds), sort, values, draw(st.integers(1, 3)))


class BreaksPolicy(Exception):  # noqa: N818
    pass


def slow_series(rows, policies):
    """One series of rows (sort, value), by Python's own sort and grouping."""
    if rows and rows[0][0] is not None:
        groups = {}
        for key, value in sorted(rows, key=lambda row: row[0]):
            groups.setdefault(key, []).append(value)
        if policies.on_duplicate == "raise" and len(groups) < len(rows):
            raise BreaksPolicy
        join = {
            "keep": lambda g: g, "first": lambda g: g[:1], "last": lambda g: g[-1:]
        }.get(policies.on_duplicate, lambda g: [mean(g)])  # fmt: skip
        values = [value for group in groups.values() for value in join(group)]
    else:
        values = [value for _, value in rows]
    finite = [value for value in values if np.isfinite(value)]
    if policies.on_nan == "raise" and len(finite) < len(values):
        raise BreaksPolicy
    return (finite, False) if policies.on_nan == "omit" else (values, len(finite) < len(values))


def mean(group):
    return fmean(group) if np.isfinite(group).all() else np.nan


def slow(case, policies, kinds):
    """{id: {kind: values}} of what is present, and the ids to quarantine."""
    rows = {}
    sort = case.sort or [None] * len(case.ids)
    for id_, kind, key, value in zip(case.ids, case.kinds, sort, case.values, strict=True):
        rows.setdefault(id_, {}).setdefault(kind if kinds else "x", []).append((key, value))
    found, out = {}, set()
    for id_, per_kind in sorted(rows.items()):
        for kind, one in per_kind.items():
            values, bad = slow_series(one, policies)
            kinds_of_id = found.setdefault(id_, {})
            if values:
                kinds_of_id[kind] = values
            out |= {id_} if bad else set()
    return found, out


POLICIES = st.builds(
    Policies,
    on_nan=st.sampled_from(["raise", "omit", "quarantine"]),
    on_duplicate=st.sampled_from(["raise", "keep", "first", "last", "mean"]),
)


def assemble_case(case, id_type, sort_type, policies, *, long, times=False):
    values = pa.array(case.values)
    return assemble(
        case.column(ID_TYPES[id_type](case.ids)),
        None if case.sort is None else case.column(SORT_TYPES[sort_type](case.sort)),
        case.column(pa.array(case.kinds)) if long else None,
        {"x": case.column(values)},
        kinds=KINDS if long else ("x",),
        policies=policies,
        needs_times=times,
        where="test",
    )


def read(batch):
    """{id: {kind: values}} of a batch, without the kinds that are not present."""
    found = {}
    for place, id_ in enumerate(batch.ids.to_pylist()):
        for kind, block in batch.blocks.items():
            values = block.values[block.starts[place] : block.stops[place]]
            if kind in batch.present and not batch.present[kind][place]:
                assert len(values) == 0
            else:
                found.setdefault(id_, {})[kind] = values.tolist()
    return found


@settings(max_examples=400)
@given(
    cases(),
    st.sampled_from(sorted(ID_TYPES)),
    st.sampled_from(sorted(SORT_TYPES)),
    POLICIES,
    st.booleans(),
)
def test_any_rows_become_the_series_of_the_slow_version(case, id_type, sort_type, policies, long):
    if id_type == "boolean":
        case = Case([one // 3 * 3 for one in case.ids], *list(vars(case).values())[1:])
    try:
        expected, out = slow(case, policies, KINDS if long else None)
    except BreaksPolicy:
        with pytest.raises(DataError, match="test: "):
            assemble_case(case, id_type, sort_type, policies, long=long)
        return
    batch = assemble_case(case, id_type, sort_type, policies, long=long)
    names = {one: check_ids(ID_TYPES[id_type]([one]), "id")[0].as_py() for one in case.ids}
    found = read(batch)
    assert batch.ids.to_pylist() == [names[one] for one in expected if one not in out]
    assert [one.id for one in batch.quarantined] == [names[one] for one in sorted(out)]
    assert {kind: block.kind for kind, block in batch.blocks.items()} == {
        kind: kind for kind in (KINDS if long else ("x",))
    }
    for one, per_kind in expected.items():
        if one not in out:
            assert found.get(names[one], {}).keys() == per_kind.keys()
            for kind, values in per_kind.items():
                np.testing.assert_allclose(found[names[one]][kind], values, rtol=1e-12, atol=1e-9)


@given(cases())
def test_times_move_with_the_values(case):
    n = len(case.values)
    marked = Case(case.ids, case.kinds, list(range(n)), [float(one) for one in range(n)], 2)
    policies = Policies(on_nan="omit")
    holes = [np.nan if one % 5 == 4 else float(one) for one in range(n)]
    for values in (marked.values, holes):
        given_case = Case(marked.ids, marked.kinds, marked.sort, values, 1)
        batch = assemble_case(given_case, "int64", "timestamp", policies, long=True, times=True)
        start = np.datetime64(STAMP, "ns").astype(np.int64)
        for block in batch.blocks.values():
            hours = (block.times - start) / 3.6e12
            np.testing.assert_array_equal(hours, block.values)


@pytest.mark.parametrize("step", [1, 3_600_000_000, 1_000_003])
@pytest.mark.parametrize("piece", [1, 64, 10**6])
def test_unsorted_series_are_sorted_in_pieces_of_any_size(rng, monkeypatch, piece, step):
    monkeypatch.setattr(ordering, "SORTED_ROWS", piece)
    monkeypatch.setattr(ordering, "SPARE_CODES", 0)
    ids = np.repeat(np.arange(50), rng.integers(1, 60, 50))
    sort = rng.integers(-500, 500, len(ids)) * step
    values = rng.normal(size=len(ids))
    batch = assemble(
        pa.array(ids), pa.array(sort), None, {"x": pa.array(values)},
        kinds=("x",), policies=Policies(on_duplicate="last"), needs_times=False, where="test",
    )  # fmt: skip
    for one, expected in enumerate(read(batch).values()):
        rows = dict(zip(sort[ids == one], values[ids == one], strict=True))
        assert expected["x"] == [rows[key] for key in sorted(rows)]


def wide(ids, values, sort=None, **changes):
    arguments = {
        "kinds": tuple(values), "policies": Policies(), "needs_times": False, "where": "test",
    }  # fmt: skip
    columns = {kind: pa.array(column) for kind, column in values.items()}
    sort = None if sort is None else pa.array(sort)
    return assemble(pa.array(ids), sort, None, columns, **{**arguments, **changes})


@pytest.mark.parametrize("ids", [[1, 1, 1, 5, 5, 5], list("aaabbb"), list("bbbaaa")])
def test_series_that_lie_in_order_are_not_copied(ids):
    column = pa.array(np.arange(6.0))
    batch = assemble(
        pa.array(ids), pa.array([0, 1, 2, 0, 1, 2]), None, {"x": column, "y": column},
        kinds=("x", "y"), policies=Policies(), needs_times=False, where="test",
    )  # fmt: skip
    x, y = batch.blocks.values()
    assert x.values.ctypes.data == column.buffers()[1].address
    assert x.starts is y.starts
    assert x.stops is y.stops


def test_kinds_that_lie_one_after_the_other_are_not_copied():
    column = pa.array(np.arange(8.0))
    batch = assemble(
        pa.array([1, 1, 2, 2, 1, 1, 2, 2]), None, pa.array(list("aaaabbbb")), {"value": column},
        kinds=("a", "b"), policies=Policies(), needs_times=False, where="test",
    )  # fmt: skip
    assert batch.blocks["b"].values.ctypes.data == column.buffers()[1].address
    assert batch.blocks["b"].starts.tolist() == [4, 6]


def test_an_id_lacks_a_kind_that_omit_emptied():
    batch = wide([1, 2], {"x": [np.nan, 1.0], "y": [1.0, 2.0]}, policies=Policies(on_nan="omit"))
    assert batch.blocks["x"].lengths.tolist() == [0, 1]
    assert batch.blocks["y"].lengths.tolist() == [1, 1]
    assert {kind: has.tolist() for kind, has in batch.present.items()} == {"x": [False, True]}


def test_quarantine_names_the_first_kind_at_fault():
    values = {"x": [0.0, np.nan, 1.0], "y": [np.nan, np.inf, 2.0]}
    batch = wide([1, 1, 2], values, policies=Policies(on_nan="quarantine"))
    (out,) = batch.quarantined
    assert (out.id, out.kind) == (1, "x")
    assert out.reason == "1 of 2 values are null, NaN or infinite"
    assert batch.ids.to_pylist() == [2]
    assert batch.n_rows == 2


def test_no_rows_give_an_empty_batch():
    batch = wide(pa.array([], pa.string()), {"x": pa.array([], pa.float64())})
    assert len(batch.ids) == 0
    assert batch.blocks["x"].n_series == 0


def test_a_batch_may_lack_a_kind_altogether():
    batch = assemble(
        pa.array([1]), None, pa.array([7]), {"value": pa.array([1.0])},
        kinds=("7", "8"), policies=Policies(), needs_times=False, where="test",
    )  # fmt: skip
    assert batch.present["8"].tolist() == [False]
    assert "7" not in batch.present


def test_values_that_are_not_finite_are_named():
    ids = np.repeat(np.arange(12), 2)
    message = (
        r"test: column 'x' holds 24 null, NaN or infinite values in 12 series: \(id=0\), .*"
        r"\(id=9\), \.\.\. \(12 in all\); .*'omit'.*'quarantine'"
    )
    with pytest.raises(DataError, match=message):
        wide(ids, {"x": np.full(24, np.inf)})


def test_a_sum_that_overflows_is_no_fault():
    batch = wide([1, 1], {"x": [1.7e308, 1.7e308]})
    assert batch.blocks["x"].values.tolist() == [1.7e308, 1.7e308]


def test_duplicates_are_named():
    message = r"test: 2 rows have the same id and sort value .*: \(id='b', sort=7\), \(id='b'"
    with pytest.raises(DataError, match=message + ".*on_duplicate to 'keep', 'first', 'last' or"):
        wide(list("babb"), {"x": [1, 2, 3, 4]}, sort=[7, 7, 7, 7])


def test_duplicates_are_named_with_their_kind():
    with pytest.raises(DataError, match=r"1 row .*\(id=1, kind='a', sort=0\); drop them"):
        assemble(
            pa.array([1, 1, 1]), pa.array([0, 0, 0]), pa.array(list("aba")),
            {"x": pa.array([1, 2, 3])},
            kinds=("a", "b"), policies=Policies(), needs_times=False, where="test",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ([1, None], "column 'sort' is null in 1 of 2 rows"),
        ([1.0, np.nan], "column 'sort' is null in 1 of 2 rows"),
    ],
)
def test_sort_values_are_never_null(sort, message):
    with pytest.raises(DataError, match=message):
        wide([1, 1], {"x": [1, 2]}, sort=sort)


@pytest.mark.parametrize("sort", [[[1], [2]], [None, None]])
def test_sort_values_need_an_order(sort):
    with pytest.raises((SourceError, DataError), match="column 'sort'"):
        wide([1, 1], {"x": [1, 2]}, sort=sort)


@pytest.mark.parametrize(
    ("sort", "message"), [(None, "no sort column"), ([1, 2], "'sort' is int64")]
)
def test_times_need_dates_or_timestamps(sort, message):
    with pytest.raises(SourceError, match=rf"{message}: name a column of dates .*column_sort"):
        wide([1, 1], {"x": [1, 2]}, sort=sort, needs_times=True)


def test_times_beyond_nanoseconds_are_refused():
    sort = pa.array([10**17, 0], pa.timestamp("s"))
    with pytest.raises(DataError, match=r"column 'sort'.*1678 to 2261"):
        wide([1, 1], {"x": [1, 2]}, sort=sort, needs_times=True)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_nanoseconds_whatever_the_unit(unit):
    sort = pa.array([STAMP, STAMP + HOUR], pa.timestamp(unit, "Asia/Tokyo"))
    batch = wide([1, 1], {"x": [1, 2]}, sort=sort, needs_times=True)
    expected = np.array([STAMP, STAMP + HOUR], "datetime64[ns]").astype(np.int64)
    np.testing.assert_array_equal(batch.blocks["x"].times, expected)


def test_joined_duplicates_keep_their_time():
    sort = pa.array([10**18 + 1, 10**18, 10**18], pa.timestamp("ns"))
    policies = Policies(on_duplicate="mean")
    block = wide([1, 1, 1], {"x": [5, 1, 2]}, sort, policies=policies, needs_times=True).blocks["x"]
    assert block.times.dtype == np.int64
    assert block.times.tolist() == [10**18, 10**18 + 1]
    assert block.values.tolist() == [1.5, 5.0]


def test_unknown_and_unusable_kinds_are_refused():
    def long(kind):
        return assemble(
            pa.array([1, 2]), None, kind, {"x": pa.array([1.0, 2.0])},
            kinds=("a",), policies=Policies(), needs_times=False, where="test",
        )  # fmt: skip

    with pytest.raises(DataError, match="the kinds 'z' are not among those of the input"):
        long(pa.array(["a", "z"]))
    with pytest.raises(DataError, match="column 'kind' is null in 1 of 2 rows"):
        long(pa.array(["a", None]))
    with pytest.raises(SourceError, match=r"column 'kind' has type double.*cast it to strings"):
        long(pa.array([1.0, 2.0]))
