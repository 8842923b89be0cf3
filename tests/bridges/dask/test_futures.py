"""Features as futures, on worker processes that die, fail, and forget."""

from __future__ import annotations

import os
import signal
import traceback

import numpy as np
import pandas as pd
import pytest
from dask import delayed
from distributed import Client

import tidemill
from tidemill.cluster import iter_features, submit_features
from tidemill.errors import ArgumentError, CalculationError, ClusterError, DataError, SourceError
from tidemill.orchestration import scheduler_calls, worker_watch

from ...support.grounds import ground_of
from ...support.live_cluster import live_cluster
from ...support.probes import MODULE, probing
from ...support.waiting import until

SETTINGS = {"mean": None, "maximum": None}
ROLES = {"column_id": "id", "column_sort": "time"}


@pytest.fixture(scope="module")
def client():
    with live_cluster() as client:
        yield client


@pytest.fixture
def probe(tmp_path):
    with probing(tmp_path) as probe:
        __import__(MODULE)
        yield probe


def chunk(first, n_ids=3, length=20):
    """Series of noise; the first value of each is its id."""
    ids = np.arange(first, first + n_ids)
    rng = np.random.default_rng(first)
    frame = pd.DataFrame({"id": np.repeat(ids, length), "time": np.tile(range(length), n_ids)})
    frame["x"] = rng.normal(size=len(frame))
    frame.loc[::length, "x"] = ids
    return frame


def wanted(frame, settings=SETTINGS):
    return tidemill.extract_features(frame, settings, **ROLES)


def done(futures):
    until(lambda: all(one.done() for one in futures), 90, "all futures to be done")


def asked(probe):
    return {"mean": None, "probe": [{"folder": str(probe.folder)}]}


@pytest.mark.parametrize("form", ["futures", "delayed", "paths", "frames"])
def test_every_form_of_input_gives_what_the_door_gives(form, client, tmp_path):
    frames = [chunk(0), chunk(3), chunk(6)]
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for frame, path in zip(frames, paths, strict=True):
        frame.to_parquet(path)
    given = {
        "futures": lambda: client.scatter(frames, hash=False),
        "delayed": lambda: [delayed(frame) for frame in frames],
        "paths": lambda: paths,
        "frames": lambda: frames,
    }[form]()
    futures = submit_features(given, SETTINGS, client=client, **ROLES)
    for found, frame in zip(client.gather(futures), frames, strict=True):
        pd.testing.assert_frame_equal(found, wanted(frame), check_exact=True)
    streamed = [frame for _, frame in iter_features(given, SETTINGS, client=client, **ROLES)]
    whole = pd.concat(streamed).sort_index()
    pd.testing.assert_frame_equal(whole, wanted(pd.concat(frames)), check_exact=True)


def test_long_frames_and_dicts_have_the_columns_that_are_asked_for(client):
    long = chunk(0).rename(columns={"x": "value"}).assign(kind="x")
    roles = {**ROLES, "column_value": "value"}
    frames = client.scatter([long, {"x": long.drop(columns="kind")}], hash=False)
    (one,) = submit_features(
        frames[:1], SETTINGS, client=client, **roles, column_kind="kind", kinds=["w", "x"]
    )
    (own,) = submit_features(frames[:1], SETTINGS, client=client, **roles, column_kind="kind")
    (two,) = submit_features(frames[1:], SETTINGS, client=client, **roles)
    assert list(one.result())[:2] == ["w__mean", "w__maximum"]
    assert one.result()["w__mean"].isna().all()
    pd.testing.assert_frame_equal(own.result(), wanted(chunk(0)))
    pd.testing.assert_frame_equal(two.result(), wanted(chunk(0)))


def test_features_are_calculated_where_the_input_lives_and_stay_there(client):
    workers = sorted(client.nthreads())
    frames = [client.submit(chunk_of(), n, workers=[workers[n % 2]], pure=False) for n in range(6)]
    done(frames)
    for frame in frames:  # one by one: Dask may move small frames away from a busy worker
        (future,) = submit_features([frame], SETTINGS, client=client, **ROLES)
        done([future])
        where = client.who_has([frame, future])
        assert where[frame.key] == where[future.key]


def chunk_of():
    """A function that makes a chunk; workers get it by value."""

    def make(number):
        ids = [number, number]
        return pd.DataFrame({"id": ids, "time": [0, 1], "x": [0.0, float(number)]})

    return make


def test_a_failing_chunk_shows_the_series_and_the_remote_traceback(client):
    bad = chunk(3).assign(x=lambda frame: frame["x"].where(frame["id"] != 4))
    good, failed = submit_features([chunk(0), bad], SETTINGS, client=client, **ROLES)
    with pytest.raises(DataError, match="4") as caught:
        failed.result(60)
    shown = "".join(traceback.format_exception(caught.value))
    assert "calculate_chunk" in shown
    depends = client.submit(len, failed)
    with pytest.raises(DataError, match="4"):
        depends.result(60)
    assert len(good.result(60)) == 3
    with pytest.raises(DataError, match="4"):
        list(iter_features([chunk(0), bad], SETTINGS, client=client, **ROLES))


def test_an_input_that_fails_is_the_error_of_its_features(client, tmp_path):
    broken = client.submit(lambda: 1 / 0, pure=False)
    (future,) = submit_features([broken], SETTINGS, client=client, **ROLES)
    with pytest.raises(ZeroDivisionError):
        future.result(60)
    (future,) = submit_features([tmp_path / "no.csv"], SETTINGS, client=client, **ROLES)
    with pytest.raises(SourceError, match=r"no\.csv is not there for the worker"):
        future.result(60)


def test_a_calculator_that_raises_names_the_series(client, probe):
    probe.tell(4, "wrong")
    frames = [chunk(0), chunk(3)]
    first, second = submit_features(frames, asked(probe), client=client, **ROLES)
    with pytest.raises(CalculationError, match=r"probe.* 4\b|4\b.*probe"):
        second.result(60)
    assert len(first.result(60)) == 3


@pytest.mark.slow
def test_a_long_run_keeps_nothing(client):
    """Neither on the scheduler nor here: what was used is released."""
    made = []

    def frames():
        for number in range(200):
            made.append(number)
            yield chunk(3 * number, length=5)

    def tasks():
        return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    before, counts, seen = tasks(), [], 0
    for ids, frame in iter_features(frames(), SETTINGS, client=client, max_in_flight=4, **ROLES):
        seen += 1
        assert list(ids) == list(frame.index)
        assert len(made) <= seen + 4
        if seen % 20 == 0:
            counts.append(tasks())
    assert seen == 200
    assert max(counts) <= before + 15  # four chunks with their frames, and what is on its way out
    until(lambda: tasks() <= before, 30, "all to be released")


@pytest.mark.slow
def test_a_dead_worker_costs_only_what_it_held(client, probe):
    probe.tell(15, "wait go")
    paths = [chunk_of_ids(probe, 3 * number) for number in range(6)]
    futures = submit_features(paths, asked(probe), client=client, **ROLES)
    until(lambda: sum(one.done() for one in futures) == 5 and 15 in probe.counts, 60, "five")
    (victim,) = (pid for pid, series in probe.calls if series == 15)
    held = {series for pid, series in probe.calls if pid == victim}
    before = probe.counts
    os.kill(victim, signal.SIGKILL)
    probe.release("go")
    done(futures)
    whole = pd.concat(client.gather(futures)).sort_index()
    assert list(whole.index) == list(range(18))
    again = probe.counts - before
    assert set(again) == held | {16, 17}  # the two came after the one in hand
    assert set(again.values()) == {1}


def chunk_of_ids(probe, first):
    path = probe.folder / f"{first}.parquet"
    chunk(first).to_parquet(path)
    return path


@pytest.mark.slow
def test_a_series_that_kills_its_worker_is_named(client, probe):
    probe.tell(4, "crash")
    paths = [chunk_of_ids(probe, first) for first in (0, 3, 6)]
    futures = submit_features(paths, asked(probe), client=client, **ROLES)
    done(futures)
    assert [future.status for future in futures] == ["finished", "error", "finished"]
    with pytest.raises(CalculationError, match=r"series 4 kills its process, which died of signal"):
        futures[1].result()
    assert probe.counts[4] == 2


@pytest.mark.slow
def test_or_its_row_is_nan(client, probe):
    probe.tell(4, "kill")  # by a signal that somebody else may have sent
    (found,) = [
        frame
        for _, frame in iter_features(
            [chunk(3)], asked(probe), client=client, on_error="nan", **ROLES
        )
    ]
    assert found.isna().all(axis=1).tolist() == [False, True, False]
    assert probe.counts[4] == 3


def test_a_scattered_frame_that_is_lost_is_a_sentence(client):
    (frame,) = client.scatter([chunk(0)], hash=False)
    frame.cancel()
    with pytest.raises(ClusterError, match=r"the frame of future .* was lost"):
        list(iter_features([frame], SETTINGS, client=client, **ROLES))


def test_without_workers_it_ends(scheduler, monkeypatch):
    monkeypatch.setattr(worker_watch, "NO_WORKER_SECONDS", 2.0)
    monkeypatch.setattr(worker_watch, "LOOK_SECONDS", 0.5)
    told = r"has had no worker for 2 s; start one with: dask worker"
    with (
        Client(scheduler, timeout=10, set_as_default=False) as client,
        pytest.raises(ClusterError, match=told),
    ):
        list(iter_features(["x.parquet"], SETTINGS, client=client, **ROLES))


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler_calls, "SCHEDULER_SECONDS", 3.0)
    with ground_of(tmp_path, monkeypatch) as ground, ground.worker() as worker:
        ground.hang(worker)
        never = ground.client.submit(ground.function(), 1)
        rows = iter_features([never], SETTINGS, client=ground.client, **ROLES)
        until(lambda: ground.begun_by(worker), 30, "the input to be begun")
        os.kill(ground.scheduler.pid, signal.SIGKILL)
        with pytest.raises(ClusterError, match=r"the scheduler at .* (was lost|has not answered)"):
            next(rows)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (pd.DataFrame({"id": [1]}), "frames is a DataFrame, but must be a list"),
        (3, "frames=3 is not allowed"),
        ([3], r"frames\[0\] is a int, which is not allowed"),
        (["x.txt"], r"'x.txt' is no file that can be read; allowed are \.arrow"),
    ],
)
def test_what_is_no_chunk_is_refused(frames, told, client):
    with pytest.raises(ArgumentError, match=told):
        submit_features(frames, SETTINGS, client=client, **ROLES)
