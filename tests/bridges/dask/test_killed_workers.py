"""A worker is killed in the middle of each way from data on a cluster to features."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import dask
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from tidemill import extract_features, read_matrix, to_delta
from tidemill.cluster import iter_features, submit_features
from tidemill.errors import ClusterError
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history
from tidemill.storage.verify_table import verify_table

from ...support.live_cluster import live_cluster
from ...support.probes import MODULE, probing
from ...support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROLES = {"column_id": "id", "column_sort": "time"}
N_IDS = 48
ROWS = 40  # of an id
PARTITIONS = 24


@pytest.fixture(scope="module")
def client():
    with live_cluster(3) as client:
        yield client


@pytest.fixture
def probe(tmp_path):
    with probing(tmp_path) as probe:
        __import__(MODULE)
        yield probe


def settings_of(probe):
    return {
        "mean": None,
        "linear_trend": [{"attr": "slope"}],
        "probe": [{"folder": str(probe.folder)}],
    }


def whole():
    """Rows of all ids, by time; the first value of each is its id."""
    n = N_IDS * ROWS
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {"id": np.arange(n) % N_IDS, "time": np.arange(n), "x": rng.normal(size=n)}
    )
    frame.loc[: N_IDS - 1, "x"] = frame.loc[: N_IDS - 1, "id"].astype("float64")
    return frame


class Loads:
    """Loading functions that leave their process's id, and of which only some come to their end."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def function(self, parts):
        """Gives ``parts[place]``; workers get it by value."""
        folder = self.folder

        def load(place):
            (folder / f"{place}-{os.getpid()}-{time.monotonic_ns()}").touch()
            limit = folder / "limit"
            while limit.exists() and len(list(folder.glob("*-*"))) > int(limit.read_text()):
                time.sleep(0.02)
            return parts[place]

        return load

    def hold_after(self, calls):
        """Let further calls wait once there were so many."""
        (self.folder / "limit").write_text(str(calls))

    def let_go(self):
        (self.folder / "limit").unlink()

    @property
    def calls(self):
        """(process, place) of every call so far, the first one first."""
        names = [path.name.split("-") for path in self.folder.glob("*-*")]
        ordered = sorted(names, key=lambda name: int(name[2]))
        return [(int(pid), int(place)) for place, pid, _ in ordered]


@pytest.fixture
def loads(tmp_path):
    return Loads(tmp_path / "loads")


def rows_of_all_ids(loads):
    """Partitions that have rows of every id."""
    frame, step = whole(), N_IDS * ROWS // PARTITIONS
    parts = [frame.iloc[first : first + step] for first in range(0, len(frame), step)]
    return dd.from_map(loads.function(parts), range(PARTITIONS), meta=frame.iloc[:0])


def whole_ids():
    """A frame for every four ids."""
    return [rows for _, rows in whole().groupby(lambda row: row % N_IDS // 4)]


def states(client, *prefixes):
    """How many tasks whose keys begin so are in each state."""

    def count(dask_scheduler):
        found = {}
        for key, one in dask_scheduler.tasks.items():
            if str(key[0] if isinstance(key, tuple) else key).startswith(prefixes):
                found[one.state] = found.get(one.state, 0) + 1
        return found

    return Counter(client.run_on_scheduler(count))


def same(got, probe):
    wanted = extract_features(whole(), settings_of(probe), **ROLES)
    pd.testing.assert_frame_equal(got.sort_index(), wanted, check_exact=True)


def test_in_the_middle_of_the_transfers_of_a_shuffle(client, loads, probe):
    loads.hold_after(12)
    lazy = extract_features(rows_of_all_ids(loads), settings_of(probe), **ROLES, client=client)
    matrix = client.compute(lazy)
    until(lambda: states(client, "shuffle-transfer")["memory"] >= 6, 60, "some transfers", matrix)
    victim, _ = loads.calls[0]
    assert not probe.calls
    os.kill(victim, signal.SIGKILL)
    loads.let_go()
    same(matrix.result(timeout=200), probe)


def test_in_the_middle_of_what_comes_after_the_transfers(client, loads, probe):
    lazy = extract_features(rows_of_all_ids(loads), settings_of(probe), **ROLES, client=client)
    probe.tell(20, "wait go")
    matrix = client.compute(lazy)
    until(lambda: 20 in probe.counts and len(probe.counts) >= 12, 90, "some features", matrix)
    assert states(client, "p2pshuffle")["memory"]
    kill_at(20, probe)
    same(matrix.result(timeout=200), probe)


def at(series, probe):
    """The process that has this series in hand."""
    (found,) = (pid for pid, one in probe.calls if one == series)
    return found


def kill_at(series, probe):
    """Kill the process that waits at this series, which its next one need not."""
    os.kill(at(series, probe), signal.SIGKILL)
    probe.release("go")


def only_one_is_busy(client, series, probe):
    """Whether all work that is left lies on the worker that waits at this series."""
    busy = [address for address, keys in client.processing().items() if keys]
    return series in probe.counts and [*client.run(os.getpid, workers=busy).values()] == [
        at(series, probe)
    ]


@pytest.fixture
def calling():
    with ThreadPoolExecutor(1) as pool:
        yield lambda *given, **named: pool.submit(extract_features, *given, **named)


FORMS = {
    "futures": lambda client, load, places: client.map(load, places, pure=False),
    "delayed": lambda _, load, places: [dask.delayed(load)(place) for place in places],
}


@pytest.mark.parametrize("form", FORMS)
def test_only_what_the_worker_held_is_calculated_again(form, client, loads, probe, calling):
    frames = whole_ids()
    given = FORMS[form](client, loads.function(frames), range(len(frames)))
    probe.tell(20, "wait go")
    matrix = calling(given, settings_of(probe), **ROLES, client=client)
    until(lambda: only_one_is_busy(client, 20, probe), 90, "all others", matrix)
    victim = at(20, probe)
    held = {series for pid, series in probe.calls if pid == victim}
    loaded = loads.calls
    kill_at(20, probe)
    got = matrix.result(timeout=200)
    assert probe.counts == {series: 1 + (series in held) for series in range(N_IDS)}
    same(got, probe)
    anew = Counter(place for _, place in loads.calls) - Counter(place for _, place in loaded)
    assert set(anew) <= {place for pid, place in loaded if pid == victim}
    assert set(anew.values()) <= {1}


def test_in_the_middle_of_a_bag(client, loads, probe, calling):
    frames = whole_ids()
    triples = [[(one, "x", rows) for one, rows in frame.groupby("id")] for frame in frames]
    load = dask.delayed(loads.function(triples), pure=False)
    bag = db.from_delayed([load(place) for place in range(len(triples))])
    roles = {"column_sort": "time", "column_value": "x", "client": client}
    probe.tell(20, "wait go")
    matrix = calling(bag, settings_of(probe), **roles, lazy=False)
    until(lambda: 20 in probe.counts and len(probe.counts) >= 12, 90, "some features", matrix)
    kill_at(20, probe)
    same(matrix.result(timeout=200), probe)


@pytest.fixture
def scattered(client):
    """Frames that were scattered, the sixth with the series 20."""
    client.wait_for_workers(3, timeout=60)
    return [client.scatter(one, hash=False) for one in whole_ids()]


def lose(client, probe, future):
    """Kill the worker that waits at series 20, and all others that have the frame."""
    pids, holders = client.run(os.getpid), client.who_has([future])[future.key]
    waiting = at(20, probe)  # the scheduler may not know of its copy yet
    victims = {one for one, pid in pids.items() if one in holders or pid == waiting}
    for one in victims:
        os.kill(pids[one], signal.SIGKILL)
    probe.release("go")
    # What the next test scatters must not go to one of them.
    until(lambda: not victims & client.nthreads().keys(), 60, "the deaths to be known")


def names(error, futures):
    """Whether an error names futures that are lost, which may be some of several workers, only."""
    named = [one for one in futures if one.key in str(error)]
    return bool(named) and all(one.status in {"cancelled", "lost"} for one in named)


def test_scattered_frames_that_die_with_their_worker_are_named(client, probe, calling, scattered):
    probe.tell(20, "wait go")
    matrix = calling(scattered, settings_of(probe), **ROLES, client=client)
    until(lambda: 20 in probe.counts, 90, "some features", matrix)
    lose(client, probe, scattered[5])
    with pytest.raises(ClusterError, match="lost: scattered to a worker that died") as caught:
        matrix.result(timeout=100)
    assert names(caught.value, scattered)
    with pytest.raises(ClusterError) as caught:
        extract_features(scattered, "minimal", **ROLES, client=client)
    assert names(caught.value, scattered), "they are lost before the call"


def test_also_in_a_stream(client, probe, scattered):
    probe.tell(20, "wait go")
    found = iter_features(scattered, settings_of(probe), **ROLES, client=client)
    next(found)
    until(lambda: 20 in probe.counts, 90, "the series")
    lose(client, probe, scattered[5])
    with pytest.raises(ClusterError, match="was lost: scattered to a worker that died") as caught:
        list(found)
    (named,) = (one for one in scattered if one.key in str(caught.value))
    assert named.status == "cancelled"
    again = submit_features(scattered, "minimal", **ROLES, client=client)
    with pytest.raises(CancelledError, match="lost dependencies"):
        again[5].result(timeout=60)


# Tables


def finished_once(sink, wanted):
    got = read_matrix(sink).rename_axis(index=None)
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)
    assert verify_table(SinkLayout.of(sink), deep=True).faults == []
    listed = {one.name for one in sink.glob("*.parquet")}
    assert listed == {Path(one).name for one in DeltaTable(sink).file_uris()}, (
        "no part is left over"
    )
    assert [one.state for one in history(SinkLayout.of(sink))] == ["finished"]


def test_while_parts_of_a_table_are_written(client, loads, probe, calling, tmp_path):
    sink = tmp_path / "features"
    lazy = extract_features(rows_of_all_ids(loads), settings_of(probe), **ROLES, client=client)
    probe.tell(20, "wait go")
    with ThreadPoolExecutor(1) as pool:
        summary = pool.submit(to_delta, lazy, sink, client=client)
        until(
            lambda: 20 in probe.counts and len(list(sink.glob("*.parquet"))) >= 6,
            90, "some parts", summary,
        )  # fmt: skip
        kill_at(20, probe)
        assert summary.result(timeout=200)["rows"] == N_IDS
    finished_once(sink, extract_features(whole(), settings_of(probe), **ROLES))


@pytest.mark.parametrize("step", ["PartWriter.write", "commit_part"])
def test_in_the_middle_of_a_part(step, client, loads, tmp_path):
    """Half a file, or one without a marker, is there when its writer dies."""
    sink, begun = tmp_path / "features", tmp_path / "begun"
    client.wait_for_workers(3, timeout=60)
    client.run(stopping(step, begun))
    lazy = extract_features(rows_of_all_ids(loads), "minimal", **ROLES, client=client)
    with ThreadPoolExecutor(1) as pool:
        summary = pool.submit(to_delta, lazy, sink, client=client)
        until(begun.exists, 90, "a worker to write a part", summary)
        os.kill(int(begun.read_text()), signal.SIGKILL)
        assert summary.result(timeout=200)["rows"] == N_IDS
    finished_once(sink, extract_features(whole(), "minimal", **ROLES))


def stopping(step, begun):
    """What has the first process that does a part of the step come to a stop; sent by value."""

    def patch():
        from tidemill.execution import rows

        owner, _, name = step.rpartition(".")
        place = getattr(rows, owner) if owner else rows
        original = getattr(place, name)

        def is_first():
            told = begun.with_name(f"{begun.name}-{os.getpid()}")
            told.write_text(str(os.getpid()))
            try:
                os.link(told, begun)
            except FileExistsError:
                return False
            return True

        def stopped(*arguments, **keywords):
            result = original(*arguments, **keywords) if owner else None
            if is_first():
                time.sleep(300)
            return result if owner else original(*arguments, **keywords)

        setattr(place, name, stopped)

    return patch


def test_scattered_frames_that_die_leave_the_table_as_it_was(client, probe, tmp_path, scattered):
    sink = tmp_path / "features"
    given = dd.from_delayed(scattered, meta=whole().iloc[:0], verify_meta=False)
    lazy = extract_features(given, settings_of(probe), **ROLES, client=client)
    probe.tell(20, "wait go")
    with ThreadPoolExecutor(1) as pool:
        summary = pool.submit(to_delta, lazy, sink, client=client)
        until(lambda: 20 in probe.counts, 90, "some features", summary)
        lose(client, probe, scattered[5])
        with pytest.raises(ClusterError, match="lost: scattered to a worker that died") as caught:
            summary.result(timeout=100)
    assert names(caught.value, scattered)
    (run,) = history(SinkLayout.of(sink))
    assert run.state == "failed"
    assert not (sink / "_delta_log").exists()
