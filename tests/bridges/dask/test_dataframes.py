from __future__ import annotations

import functools
import os
import signal
import time

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from distributed.comm import tcp

from tidemill import extract_features
from tidemill.bridges.dask.calculate import FrameCalculation
from tidemill.bridges.dask.dataframes import features_of_partitions, found_client
from tidemill.errors import DataError

from ...support.waiting import until

SETTINGS = {
    "mean": None,
    "maximum": None,
    "quantile": [{"q": 0.3}],
    "linear_trend": [{"attr": "slope"}],
}
ROLES = {"column_id": "id", "column_sort": "time"}

#: Dask's reader and writer of Parquet use what pandas 3.1 deprecates.
USES_PARQUET = pytest.mark.filterwarnings("ignore:.*The inplace keyword in DataFrame")


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def frame(rng):
    n = 600
    return pd.DataFrame(
        {
            "id": rng.integers(0, 40, n),
            "time": rng.permutation(n),
            "x": rng.normal(size=n),
            "y": rng.integers(0, 9, n),
        }
    )


def _computes_nothing(*_, **__):
    raise AssertionError("something was computed")


def _same(got, wanted):
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


def _by_id(frame, n):
    """Partitions with whole ids, whose ranges of ids overlap."""
    return [frame[frame["id"] % n == place] for place in range(n)]


def _lazy(parts):
    return dd.from_delayed([dask.delayed(one) for one in parts], meta=parts[0].iloc[:0])


def test_the_matrix_is_that_of_pandas_and_building_it_computes_nothing(frame):
    wanted = extract_features(frame, SETTINGS, **ROLES)
    for form in (frame, frame.set_index("id"), frame.set_index("time")):
        given = dd.from_pandas(form, npartitions=4, sort=False)
        with dask.config.set(scheduler=_computes_nothing):
            lazy = extract_features(given, SETTINGS, **ROLES)
            assert isinstance(lazy, dd.DataFrame)
            assert not lazy.known_divisions
            assert lazy.columns.tolist() == wanted.columns.tolist()
            assert type(lazy.columns) is type(wanted.columns)
        got = lazy.compute(scheduler="threads")
        _same(got.sort_index(), wanted)
        _same(got.iloc[:0], lazy._meta)
    _same(extract_features(given, SETTINGS, **ROLES, lazy=False), wanted)


def test_known_divisions_on_the_id_stay_and_nothing_is_shuffled(frame):
    indexed = frame.sort_values(["id", "time"]).set_index("id")
    given = dd.from_pandas(indexed, npartitions=4)
    lazy = extract_features(given, SETTINGS, **ROLES)
    assert lazy.divisions == given.divisions
    assert not any("shuffle" in str(key) for key in lazy.optimize().__dask_graph__())
    _same(lazy.compute(scheduler="threads"), extract_features(frame, SETTINGS, **ROLES))
    some = lazy.loc[3:5].compute(scheduler="threads")
    assert some.index.tolist() == [3, 4, 5]


def test_rows_of_an_id_in_several_partitions_keep_their_order(frame):
    features = {"mean": None, "cid_ce": [{"normalize": False}], "last_location_of_maximum": None}
    given = dd.from_pandas(frame, npartitions=5, sort=False)
    wanted = extract_features(frame, features, column_id="id", column_value="x")
    got = extract_features(given, features, column_id="id", column_value="x", lazy=False)
    _same(got, wanted)


def test_aligned_partitions_are_not_shuffled(frame):
    lazy = extract_features(_lazy(_by_id(frame, 3)), SETTINGS, **ROLES, aligned=True)
    assert not any("shuffle" in str(key) for key in lazy.optimize().__dask_graph__())
    got = lazy.compute(scheduler="threads").sort_index()
    _same(got, extract_features(frame, SETTINGS, **ROLES))


def test_aligned_is_checked(frame):
    given = dd.from_pandas(frame, npartitions=3, sort=False)
    lazy = extract_features(given, SETTINGS, **ROLES, aligned=True)
    with pytest.raises(DataError, match=r"id 0, 1, .* lies in two partitions or more, but aligned"):
        lazy.compute(scheduler="threads")


def test_empty_partitions_have_no_rows(frame):
    parts = [frame.iloc[:0], frame[frame["id"] < 20], frame.iloc[:0], frame[frame["id"] >= 20]]
    wanted = extract_features(frame, SETTINGS, **ROLES)
    for options in ({}, {"aligned": True}):
        got = extract_features(_lazy(parts), SETTINGS, **ROLES, **options, lazy=False)
        _same(got, wanted)


@pytest.mark.parametrize(
    "make",
    [
        lambda ids: ids.map("id {:03d}".format),
        lambda ids: ids.map("id {:03d}".format).astype("string[pyarrow]"),
        lambda ids: ids.map("id {:03d}".format).astype("category"),
        lambda ids: pd.Timestamp("2026-11-01") + pd.to_timedelta(ids, unit="D"),
        lambda ids: ids.astype("int8"),
    ],
    ids=["text", "arrow", "categories", "times", "int8"],
)
def test_ids_of_any_type_stay(frame, make):
    frame = frame.assign(id=make(frame["id"]))
    wanted = extract_features(frame, SETTINGS, **ROLES)
    given = dd.from_pandas(frame, npartitions=3, sort=False)
    got = extract_features(given, SETTINGS, **ROLES, lazy=False)
    pd.testing.assert_frame_equal(got, wanted, check_exact=True, check_index_type=False)
    assert got.index.tolist() == wanted.index.tolist()


def test_several_columns_make_up_an_id(frame):
    frame = frame.assign(plant=np.where(frame["id"] % 2, "b", "a"))
    roles = {"column_id": ["plant", "id"], "column_sort": "time"}
    wanted = extract_features(frame, SETTINGS, **roles)
    lazy = extract_features(dd.from_pandas(frame, npartitions=3, sort=False), SETTINGS, **roles)
    got = lazy.compute(scheduler="threads").sort_index()
    assert got.index.tolist() == wanted.index.tolist()
    np.testing.assert_array_equal(got, wanted)


def test_an_index_of_times_adds_the_calculators_of_times_also_after_a_shuffle(frame):
    times = pd.Timestamp("2026-11-01") + pd.to_timedelta(frame["time"], unit="min")
    frame = frame.drop(columns="time").set_index(pd.DatetimeIndex(times, name="when"))
    frame = frame.sort_index()
    wanted = extract_features(frame, "efficient", column_id="id", column_value="x")
    assert any("timewise" in column for column in wanted)
    given = dd.from_pandas(frame, npartitions=2)
    got = extract_features(given, "efficient", column_id="id", column_value="x", lazy=False)
    _same(got, wanted)


@USES_PARQUET
def test_missing_features_stay_missing_and_the_matrix_can_be_written(frame, tmp_path):
    short = pd.concat([frame, pd.DataFrame({"id": [99], "time": [0], "x": [1.0], "y": [1]})])
    features = {"skewness": None, "linear_trend": [{"attr": "pvalue"}]}
    wanted = extract_features(short, features, **ROLES)
    assert wanted.loc[99].isna().all()
    lazy = extract_features(dd.from_pandas(short, npartitions=3, sort=False), features, **ROLES)
    with dask.config.set(scheduler="threads"):
        lazy.to_parquet(tmp_path / "features")
    got = pd.read_parquet(tmp_path / "features").sort_index().rename_axis(index=None)
    _same(got, wanted)


@USES_PARQUET
def test_columns_without_a_role_are_not_read(frame, tmp_path):
    wide = frame.assign(**{f"other {place}": 1.0 for place in range(30)})
    with dask.config.set(scheduler="threads"):
        dd.from_pandas(wide, npartitions=6, sort=False).to_parquet(tmp_path / "input")
        given = dd.read_parquet(tmp_path / "input")
        lazy = extract_features(given, SETTINGS, **ROLES, column_value="x")
        # Dask joins partitions of which few columns are read; rows are numbered after that.
        assert lazy.optimize().npartitions <= given.npartitions
        wanted = extract_features(frame, SETTINGS, **ROLES, column_value="x")
        _same(lazy.compute().sort_index(), wanted)


def test_graphs_are_small(frame):
    given = dd.from_pandas(frame.sort_values("id").set_index("id"), npartitions=20)
    lazy = extract_features(given, "comprehensive", **ROLES)
    graph = lazy.optimize().__dask_graph__()
    assert len(graph) <= 3 * given.npartitions + 1
    named = [task for key, task in graph.items() if str(key[0]).startswith("tidemill-features")]
    assert max(len(dask.base.tokenize(task)) + len(repr(task)) for task in named) < 5_000


# On processes


def test_nothing_but_ids_passes_through_the_client(client, monkeypatch, rng):
    n = 100_000
    parts = client.map(_part, range(4), n=n)
    given = dd.from_delayed(parts, meta=_part(0, n=4), verify_meta=False)
    received = _count_received(monkeypatch)
    out = client.persist(extract_features(given, SETTINGS, **ROLES, client=client))
    until(lambda: all(f.done() for f in client.futures_of(out)), 60, "the features")
    assert received() < 100_000
    _same(
        out.compute().sort_index(),
        extract_features(pd.concat(_part(one, n=n) for one in range(4)), SETTINGS, **ROLES),
    )


def _part(place, n):
    """Every fourth row; each id has rows in all four parts."""
    rows = np.arange(place, n, 4)
    return pd.DataFrame({"id": rows // 1000, "time": rows, "x": np.sin(rows)})


def _count_received(monkeypatch):
    """Bytes that this process reads from its connections."""
    counts = []
    original = tcp.from_frames

    @functools.wraps(original)
    async def counted(frames, *args, **kwargs):
        counts.append(sum(memoryview(one).nbytes for one in frames))
        return await original(frames, *args, **kwargs)

    monkeypatch.setattr(tcp, "from_frames", counted)
    return lambda: sum(counts)


def test_partitions_in_memory_are_shuffled_only_where_an_id_lies_in_two(client, frame):
    wanted = extract_features(frame, SETTINGS, **ROLES)
    whole = client.persist(_lazy(_by_id(frame, 3)))
    lazy = extract_features(whole, SETTINGS, **ROLES)
    assert lazy.npartitions == 3
    _same(lazy.compute().sort_index(), wanted)
    ordered = frame.sort_values("id", ignore_index=True)
    cut = client.persist(dd.from_pandas(ordered, npartitions=3, sort=False))
    lazy = extract_features(cut, SETTINGS, **ROLES)
    _same(lazy.compute().sort_index(), wanted)


def test_a_calculation_without_a_cluster_has_no_client(frame):
    calculation = FrameCalculation.of(frame, SETTINGS, **ROLES)
    assert found_client("given") == "given"
    given = dd.from_pandas(frame, npartitions=1)
    lazy = features_of_partitions(given, calculation)
    assert lazy.npartitions == 1


@pytest.mark.slow
def test_the_matrix_is_right_although_a_worker_is_killed(rng):
    n = 24_000
    frame = pd.DataFrame(
        {"id": rng.integers(0, 480, n), "time": np.arange(n), "x": rng.normal(size=n)}
    )
    wanted = extract_features(frame, SETTINGS, **ROLES)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        parts = [dask.delayed(_slowly)(one) for one in _by_id(frame, 16)]
        given = dd.from_delayed(parts, meta=frame.iloc[:0])
        held = client.persist(extract_features(given, SETTINGS, **ROLES, aligned=True))
        futures = client.futures_of(held)
        until(lambda: sum(one.done() for one in futures) >= 2, 90, "the first partitions")
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        assert sum(one.done() for one in futures) < 16
        _same(held.compute().sort_index(), wanted)


def _slowly(frame):
    time.sleep(0.2)
    return frame
