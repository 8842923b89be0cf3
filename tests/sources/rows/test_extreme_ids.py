"""Ids of every type at the ends of its range: alone, clustered and spilled, many and few a part."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.errors import DataError
from tidemill.execution.in_process import extract_here
from tidemill.model.policies import Policies
from tidemill.planning.request import make_request
from tidemill.sources.files.open import open_source
from tidemill.sources.files.statistics import POINTS, gather_statistics
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.casts import check_ids

N_IDS, LENGTH = 40, 30
YEAR_1, YEAR_9999 = -62_135_596_800, 253_402_300_799  # seconds since 1970


def spread(low, high, n=N_IDS):
    """Integers from one end to the other, both included."""
    return [low + (high - low) * place // (n - 1) for place in range(n)]


def integers(name):
    type_ = getattr(pa, name)()
    ends = np.iinfo(name)
    return pa.array(spread(int(ends.min), min(int(ends.max), 2**63 - 1)), type_)


def stamps(unit, low, high):
    return pa.array(spread(low, high), pa.int64()).cast(pa.timestamp(unit))


LARGEST = float(np.finfo(np.float64).max)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
IDS = {name: integers(name) for name in INTEGERS} | {
    "int16, near": pa.array(spread(-(2**15), -(2**15) + 200), pa.int16()),
    "int64, lowest": pa.array(range(-(2**63), -(2**63) + N_IDS), pa.int64()),
    "int64, highest": pa.array(range(2**63 - N_IDS, 2**63), pa.int64()),
    "uint64, highest": pa.array(range(2**63 - N_IDS, 2**63), pa.uint64()),
    "boolean": pa.array([False, True]),
    "float16": pa.array(np.linspace(-65504, 65504, N_IDS).astype(np.float16)),
    "float32": pa.array(np.linspace(-3.4e38, 3.4e38, N_IDS).astype(np.float32)),
    "float64": pa.array(np.linspace(-1, 1, N_IDS) * LARGEST),
    "float64, smallest": pa.array(np.arange(-20, 20) * 5e-324),
    "date32": pa.array(spread(-719_162, 2_932_896), pa.int32()).cast(pa.date32()),
    "timestamp[s]": stamps("s", YEAR_1, YEAR_9999),
    "timestamp[us]": stamps("us", YEAR_1 * 10**6, YEAR_9999 * 10**6),
    "timestamp[ns]": pa.array(
        [one * 1000 for one in spread(-(2**63) // 1000 + 1, 2**63 // 1000)], pa.int64()
    ).cast(pa.timestamp("ns")),  # whole microseconds, which is what sinks hold
}


@pytest.fixture(params=IDS)
def ids(request):
    return IDS[request.param]


def make_rows(ids, *, sorted_):
    """Places among the ids and times of all rows."""
    places, times = np.arange(len(ids)), np.arange(LENGTH)
    if sorted_:
        return np.repeat(places, LENGTH), np.tile(times, len(ids))
    return np.tile(places, LENGTH), np.repeat(times, len(ids))


@pytest.mark.parametrize("sorted_", [False, True])
def test_through_assemble(ids, sorted_):
    places, times = make_rows(ids, sorted_=sorted_)
    batch = assemble(
        ids.take(pa.array(places)),
        pa.array(times),
        None,
        {"x": pa.array(places * 100.0 + times)},
        kinds=("x",),
        policies=Policies(),
        needs_times=False,
        where="test",
    )
    assert batch.ids.equals(check_ids(ids, "id"))
    block = batch.blocks["x"]
    for place, (start, stop) in enumerate(zip(block.starts, block.stops, strict=True)):
        assert block.values[start:stop].tolist() == [place * 100 + t for t in range(LENGTH)]  # noqa: PD011


@pytest.mark.parametrize("sort_type", INTEGERS)
def test_sort_keys_at_the_ends_of_their_type(sort_type):
    ends = np.iinfo(sort_type)
    keys = spread(int(ends.min), int(ends.max))
    order = np.random.default_rng(0).permutation(N_IDS)
    batch = assemble(
        pa.array([1] * N_IDS),
        pa.array([keys[place] for place in order], getattr(pa, sort_type)()),
        None,
        {"x": pa.array(order.astype(float))},
        kinds=("x",),
        policies=Policies(),
        needs_times=False,
        where="test",
    )
    assert batch.blocks["x"].values.tolist() == list(range(N_IDS))  # noqa: PD011


@pytest.mark.parametrize(
    ("layout", "ids_per_part"), [("clustered", 4), ("spilled", 2), ("spilled", 1000)]
)
def test_through_a_job(ids, layout, ids_per_part, tmp_path):
    places, times = make_rows(ids, sorted_=layout == "clustered")
    table = pa.table({"id": ids.take(pa.array(places)), "time": times, "x": places + times / 100.0})
    group_rows = LENGTH if layout == "clustered" else 100
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group_rows)
    request = make_request(
        tmp_path / "a.parquet",
        tmp_path / "out",
        column_id="id",
        column_sort="time",
        settings="minimal",
        part_bytes=24 * LENGTH * ids_per_part + 1,
    )
    summary = extract_here(request, threads=2)
    n_parts = summary.parts["total"]
    assert n_parts == 1 if ids_per_part > len(ids) else n_parts >= len(ids) // 8
    matrix = tidemill.read_matrix(tmp_path / "out")
    assert matrix["x__length"].tolist() == [LENGTH] * len(ids)
    assert matrix["x__minimum"].tolist() == list(range(len(ids)))
    normal = check_ids(ids, "id")
    assert pa.array(matrix.index).cast(normal.type).equals(normal)


@pytest.mark.parametrize("low", [0, 2**63])
def test_an_unsigned_id_beyond_int64_is_an_error_that_says_so(low, tmp_path):
    table = pa.table({"id": pa.array(spread(low, 2**64 - 1), pa.uint64()), "x": np.ones(N_IDS)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=4)
    request = make_request(
        tmp_path / "a.parquet", tmp_path / "out", column_id="id", settings="minimal"
    )
    with pytest.raises(
        DataError, match=r"ids of type uint64 are written as int64.*cast them to st"
    ):
        extract_here(request, threads=2)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    "ids",
    [
        pa.array([-(2**63), 0, 2**63 - 1], pa.int64()).cast(pa.timestamp("us")),
        pa.array([0, YEAR_9999 + 1], pa.int64()).cast(pa.timestamp("s")),
        pa.array([YEAR_1 * 1000 - 1, 0], pa.int64()).cast(pa.timestamp("ms", "UTC")),
        pa.array([-719_163, 0], pa.int32()).cast(pa.date32()),
        pa.array([0, 2_932_897], pa.int32()).cast(pa.date32()),
    ],
    ids=lambda ids: str(ids.type),
)
def test_a_date_that_no_calendar_has_is_an_error_that_says_so(ids, shuffled, tmp_path):
    places, _ = make_rows(ids, sorted_=not shuffled)
    table = pa.table({"id": ids.take(pa.array(places)), "x": np.ones(len(places))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=LENGTH)
    request = make_request(
        tmp_path / "a.parquet", tmp_path / "out", column_id="id", settings="minimal"
    )
    with pytest.raises(DataError, match=r"a\.parquet: column 'id' holds ids .* years 1 to 9999"):
        extract_here(request, threads=2)


@pytest.mark.parametrize(
    "keys",
    [
        np.array(spread(2**63 - 4000, 2**63 - 1, 400), np.int64),
        np.array(spread(-(2**63), 2**63 - 1, 400), np.int64),
        np.linspace(-1, 1, 400) * LARGEST,
    ],
    ids=["highest int64", "all of int64", "all of float64"],
)
def test_points_of_row_groups_that_are_not_read_stay_in_their_range(keys, tmp_path):
    pd.DataFrame({"id": keys, "x": 1.0}).to_parquet(tmp_path / "a.parquet", row_group_size=4)
    found = gather_statistics(open_source(tmp_path, column_id="id"), sample_rows=1)
    assert len(found.keys) > 90 * POINTS / 4
    assert found.keys.dtype == keys.dtype
    assert (found.keys[0], found.keys[-1]) == (keys[0], keys[-1])
    assert (np.diff(found.keys.astype(object)) > 0).all()
    assert found.rows.sum() == pytest.approx(400)
