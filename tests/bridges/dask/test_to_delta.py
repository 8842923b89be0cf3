from __future__ import annotations

import signal
import subprocess
import sys
import time

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from tidemill import extract_features, read_matrix, to_delta
from tidemill.errors import ArgumentError, DataError, InputError, SinkError, SourceError
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history
from tidemill.storage.verify_table import verify_table

from ...support.waiting import until

SETTINGS = {"mean": None, "skewness": None}
ROLES = {"column_id": "id", "column_sort": "time"}


@pytest.fixture
def frame(rng):
    n = 300
    return pd.DataFrame(
        {"id": rng.integers(0, 40, n), "time": rng.permutation(n), "x": rng.normal(size=n)}
    )


def _lazy(frame, **roles):
    return extract_features(
        dd.from_pandas(frame, npartitions=4, sort=False), SETTINGS, **{**ROLES, **roles}
    )


def _same(sink, wanted):
    got = read_matrix(sink)
    pd.testing.assert_frame_equal(got.rename_axis(index=wanted.index.names), wanted)
    assert verify_table(SinkLayout.of(sink), deep=True).faults == []


def test_workers_write_what_the_lazy_frame_gives(frame, tmp_path):
    sink, wanted = tmp_path / "features", extract_features(frame, SETTINGS, **ROLES)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        lazy = _lazy(frame)
        summary = to_delta(lazy, sink, client=client, column_id="pump")
        assert summary["cluster"] == cluster.scheduler_address
        _same(sink, wanted)
        held = client.scatter([wanted.iloc[:10], wanted.iloc[10:]])
        to_delta(held, sink, client=client)
        _same(sink, wanted)
    assert [one.state for one in history(SinkLayout.of(sink))] == ["finished", "finished"]


@pytest.mark.parametrize(
    "make",
    [
        lambda ids: ids.map("id {:03d}".format),
        lambda ids: pd.Timestamp("2026-11-01") + pd.to_timedelta(ids, unit="D"),
    ],
    ids=["text", "times"],
)
def test_ids_keep_their_type(frame, tmp_path, make):
    frame = frame.assign(id=make(frame["id"]))
    to_delta(_lazy(frame), tmp_path / "features")
    wanted = extract_features(frame, SETTINGS, **ROLES)
    assert read_matrix(tmp_path / "features").index.tolist() == wanted.index.tolist()


def test_several_id_columns_stay(frame, tmp_path):
    frame = frame.assign(plant=np.where(frame["id"] % 2, "b", "a"))
    to_delta(_lazy(frame, column_id=["plant", "id"]), tmp_path / "features")
    wanted = extract_features(frame, SETTINGS, column_id=["plant", "id"], column_sort="time")
    _same(tmp_path / "features", wanted)


def test_partitions_without_rows_leave_no_files(frame, tmp_path):
    sink, wanted = tmp_path / "features", extract_features(frame, SETTINGS, **ROLES)
    for _ in range(2):
        to_delta([dask.delayed(one) for one in (wanted[:0], wanted, wanted[:0])], sink)
    _same(sink, wanted)
    assert len(list(sink.glob("*.parquet"))) == 2, "one for each version of the table"


def test_an_id_with_two_rows_is_refused_and_the_old_table_stays(frame, tmp_path):
    wanted = extract_features(frame, SETTINGS, **ROLES)
    to_delta([dask.delayed(wanted)], tmp_path / "features")
    twice = [dask.delayed(wanted.iloc[:9]), dask.delayed(wanted.iloc[8:])]
    with pytest.raises(DataError, match="id 8 has rows in several places of the features"):
        to_delta(twice, tmp_path / "features")
    _same(tmp_path / "features", wanted)
    assert history(SinkLayout.of(tmp_path / "features"))[0].state == "failed"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda x: x, "features is a DataFrame, but must be a Dask DataFrame"),
        (lambda x: dd.from_pandas(x.assign(a="b"), npartitions=1), "hold no numbers"),
        (lambda x: dd.from_pandas(x.assign(a=1), npartitions=1), "column 'a' is not a feature"),
        (
            lambda x: [dask.delayed(x), dask.delayed(x.rename(columns={"x__mean": "x__median"}))],
            "the same columns",
        ),
    ],
)
def test_what_are_no_features_is_refused(frame, tmp_path, wrong, told):
    features = extract_features(frame, SETTINGS, **ROLES)
    with pytest.raises(InputError, match=told):
        to_delta(wrong(features), tmp_path / "features")
    assert not (tmp_path / "features").exists()


def test_wrong_arguments_are_refused(frame, tmp_path):
    lazy = _lazy(frame)
    with pytest.raises(ArgumentError, match=r"names 2 columns, but the index .* has 1 levels"):
        to_delta(lazy, tmp_path / "features", column_id=["a", "b"])
    with pytest.raises(SinkError, match="is one file"):
        to_delta(lazy, tmp_path / "features.parquet")
    objects = dd.from_delayed(
        [dask.delayed(frame)], meta=pd.DataFrame({"x__mean": [1.0]}, index=pd.Index([None]))[:0]
    )
    with pytest.raises(SourceError, match="are Python objects"):
        to_delta(objects, tmp_path / "features")


PROGRAM = """
import sys, time
import dask, pandas as pd
import tidemill

def late(place):
    while place == 2:
        time.sleep(1)
    return pd.DataFrame({"x__mean": [1.0]}, index=[place])

meta = pd.DataFrame({"x__mean": [1.0]}, index=[0]).iloc[:0]
frame = dask.dataframe.from_delayed([dask.delayed(late)(i) for i in range(3)], meta=meta)
tidemill.to_delta(frame, sys.argv[1])
"""


def test_a_killed_call_leaves_the_old_table_and_the_next_one_works(frame, tmp_path):
    sink, wanted = tmp_path / "features", extract_features(frame, SETTINGS, **ROLES)
    to_delta([dask.delayed(wanted)], sink)
    program = f"import dask.dataframe\n{PROGRAM}"
    with subprocess.Popen([sys.executable, "-c", program, str(sink)]) as running:
        until(lambda: len(list(sink.glob("part-*.parquet"))) >= 2, 60, "a part of the new table")
        running.send_signal(signal.SIGKILL)
    _same(sink, wanted)
    changed = wanted + 1.0
    began = time.monotonic()
    to_delta([dask.delayed(changed)], sink, wait_for_sink=120)
    assert time.monotonic() - began < 120
    _same(sink, changed)
