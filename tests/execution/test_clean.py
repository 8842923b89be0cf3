"""Cleaning removes what nobody needs, and never what a run, a reader or a resume needs."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

import tidemill
from tidemill.errors import ArgumentError, SinkError
from tidemill.execution import clean as module
from tidemill.execution import old_files
from tidemill.execution.chunk import run_chunk
from tidemill.execution.clean import clean
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.execution.reduce import reduce
from tidemill.execution.unfinished import unfinished_results
from tidemill.recurring.drop_intervals import drop_intervals
from tidemill.storage.delta_log import read_log
from tidemill.storage.layout import SinkLayout
from tidemill.storage.processes import Process
from tidemill.storage.record import history
from tidemill.storage.reports import write_report
from tidemill.storage.verify_table import verify_table

from ..support.ages import age, files
from ..support.daily import DAYS, NAMES, request, rows, run
from ..support.inputs import make_input
from ..support.jobs import opened

SMALL = {"part_bytes": 300}  # a part for each id
FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}


def layout_of(table):
    return SinkLayout.of(table)


def cleaned(table, keep="30d", **more):
    return clean(layout_of(table), keep, **more)


def nothing_is_wrong(table):
    assert verify_table(layout_of(table), deep=True).faults == []


def change(source, day, ids):
    rows(day, ids=ids).to_parquet(source / f"{day}.parquet", index=False)


def kill_halfway(source, table, day, parts=(0, 1), **more):
    """A run that ended after some parts, without a word; its result's key."""
    with Job.open(request(source, table, day, **SMALL, **more)) as job:
        run_chunk(job.run, list(parts))
        job.run.key.work.write("spilled.arrow", b"rows")
    return job.run.result_key[:16]


@pytest.fixture
def lived_in(source, table):
    """A table with every kind of leftover, all of it forty days old; the names of what must go."""
    for day in DAYS:
        run(source, table, day)
    state = table / "_tidemill"
    replaced = {path.name for path in table.glob("part-*.parquet")}
    change(source, DAYS[1], 6)
    with pytest.raises(RuntimeError), Job.open(request(source, table, DAYS[1])):
        raise RuntimeError("failed")
    run(source, table, DAYS[1])
    shown = {path.rpartition("/")[2] for path in DeltaTable(table).file_uris()}
    key = kill_halfway(source, table, DAYS[2], settings="efficient", on_settings_change="append")
    orphan = f"part-{'0' * 16}-000000-{'1' * 16}.parquet"
    (table / orphan).write_bytes(b"nobody's")
    (table / f".{orphan}.{'a' * 12}").write_bytes(b"never whole")
    (state / "records" / "20200101T000000-dead.json#1").write_bytes(b"never whole")
    for run_id in ("20260101T000000-a", "20260102T000000-b"):
        write_report(layout_of(table), run_id, "<p>")
    me = Process.current()
    dead = {"process": {"host": me.host, "pid": me.pid, "started": 0.0}}
    alive = {"process": {"host": me.host, "pid": me.pid, "started": me.started}}
    (state / "untold").mkdir()
    for name, told in (("dead", dead), ("alive", alive), ("torn", "")):
        (state / "untold" / f"{name}.json").write_text(json.dumps(told))
    for name in ("figures/20200101T000000Z.npz", "coverage/20200101T000000Z.arrow"):
        (state / name).write_bytes(b"of no interval")
    (state / "snapshots" / "killed").mkdir(parents=True)
    (state / "snapshots" / "killed" / "owner.json").write_text(json.dumps(dead["process"]))
    age(table, 40)
    of_key = {name for name in files(table) if f"keys/{key}/" in name or f"part-{key}" in name}
    runs = history(layout_of(table))
    failed = next(one for one in runs if one.state == "failed")
    superseded = next(one for one in runs if one.interval == NAMES[1] and one.rows == 5)
    return {
        *of_key, *(replaced - shown), orphan, f".{orphan}.{'a' * 12}",
        "_tidemill/records/20200101T000000-dead.json#1", f"_tidemill/records/{superseded.path}",
        f"_tidemill/records/{failed.path}",
        "_tidemill/reports/20260101T000000-a.html",
        "_tidemill/untold/dead.json", "_tidemill/untold/torn.json",
        "_tidemill/figures/20200101T000000Z.npz", "_tidemill/coverage/20200101T000000Z.arrow",
        "_tidemill/snapshots/killed/owner.json",
        *(f"_delta_log/{version:020d}.json" for version in range(3)),
    }  # fmt: skip


def test_all_that_is_old_goes_and_nothing_else(lived_in, table):
    before, matrix = files(table), tidemill.read_matrix(table)
    lease = {f"_tidemill/lease/{name}" for name in NAMES}
    done = cleaned(table)
    gone = {name for name in before - files(table) if not name.startswith("_tidemill/lease/")}
    assert gone == lived_in
    assert all(not (table / one / "00000001.json").exists() for one in lease)
    assert set(done.removed) == {
        "unfinished results", "spill", "part files", "unfinished files", "run records", "reports",
        "leases", "untold ends of runs", "leftovers of intervals", "snapshots",
        "log of the table",
    }  # fmt: skip
    assert (done.left, done.checkpoint) == ([], True)
    assert tidemill.read_matrix(table).equals(matrix)
    nothing_is_wrong(table)


def test_a_dry_run_says_the_same_and_removes_nothing(lived_in, table):
    before = files(table)
    told = cleaned(table, dry_run=True)
    assert files(table) == before
    done = cleaned(table)
    assert (told.removed, told.total) == (done.removed, done.total)
    assert done.total.bytes > 0


def test_what_is_younger_stays(lived_in, table):
    age(table, 29)
    before = files(table)
    assert cleaned(table).removed == {}
    assert before <= files(table)


def test_a_second_time_there_is_nothing_left_to_do(lived_in, table):
    cleaned(table)
    assert cleaned(table).removed == {}


def test_readers_of_a_version_within_keep_find_its_files_and_its_log(source, table):
    """Its files were written long before, and removed from the table ten days ago."""
    run(source, table, DAYS[0])
    change(source, DAYS[0], 6)
    run(source, table, DAYS[0])
    change(source, DAYS[0], 7)
    run(source, table, DAYS[0])
    age(table, 100)
    age(table / "_delta_log" / f"{1:020d}.json", 50)
    age(table / "_delta_log" / f"{2:020d}.json", 10)
    first, second = (DeltaTable(table, version=version).file_uris() for version in (0, 1))
    cleaned(table)
    left = {str(path) for path in table.glob("*.parquet")}
    assert not left & set(first)
    assert left >= set(second)
    assert len(DeltaTable(table, version=1).to_pandas()) == 6
    cleaned(table, "5d")
    assert not {str(path) for path in table.glob("*.parquet")} & set(second)
    nothing_is_wrong(table)


def test_a_file_that_came_and_went_within_keep_stays(source, table):
    run(source, table, DAYS[0])
    for ids in (6, 7):
        change(source, DAYS[0], ids)
        run(source, table, DAYS[0])
    age(table, 40)
    for version, days in ((1, 9), (2, 8)):  # made of parts that had been there for long
        age(table / "_delta_log" / f"{version:020d}.json", days)
    cleaned(table)
    assert [len(DeltaTable(table, version=n).to_pandas()) for n in (0, 1, 2)] == [5, 6, 7]


def test_a_killed_run_within_keep_goes_on_after_it(source, table):
    run(source, table, DAYS[0])
    key = kill_halfway(source, table, DAYS[1], parts=(0, 1, 2))
    age(table, 40)
    plan = table / "_tidemill" / "keys" / key / "plan.json"
    age(plan, 1)  # it was tried again yesterday
    before = files(table / "_tidemill" / "keys")
    cleaned(table)
    assert files(table / "_tidemill" / "keys") == before
    nothing_is_wrong(table)
    summary = run(source, table, DAYS[1], **SMALL)
    assert (summary.parts["reused"], summary.parts["total"]) == (3, 5)


def test_a_killed_run_before_that_starts_anew(source, table):
    run(source, table, DAYS[0])
    kill_halfway(source, table, DAYS[1])
    age(table, 40)
    cleaned(table)
    assert unfinished_results(layout_of(table)) == []
    assert len(list(table.glob("part-*.parquet"))) == 1
    summary = run(source, table, DAYS[1], **SMALL)
    assert summary.parts["reused"] == 0
    nothing_is_wrong(table)


def test_a_run_that_works_keeps_all_it_has(source, table):
    run(source, table, DAYS[0])
    with Job.open(request(source, table, DAYS[1], **SMALL)) as job:
        run_chunk(job.run, [0, 1])
        age(table / "_tidemill" / "keys", 40)
        for path in table.glob("part-*.parquet"):
            age(path, 40)
        before = files(table)
        done = cleaned(table, "1h")
        assert before <= files(table)
        assert done.removed == {}
        run_chunk(job.run, [2, 3, 4])
        assert reduce(job.run, FACTS).parts["total"] == 5
    nothing_is_wrong(table)


def test_a_lease_that_looks_silent_is_asked_for_before_a_result_goes(source, table, monkeypatch):
    """The clock of the run's host is slow; it holds the lease all the same."""
    run(source, table, DAYS[0])
    with Job.open(request(source, table, DAYS[1], **SMALL)) as job:
        run_chunk(job.run, [0])
        age(table / "_tidemill" / "keys", 40)
        silent = [
            one if one.result_key != job.run.result_key[:16] else replace_state(one, "silent")
            for one in unfinished_results(layout_of(table))
        ]
        monkeypatch.setattr(module, "unfinished_results", lambda _layout: silent)
        done = cleaned(table)
        assert "is being written by run" in done.left[0]
        assert job.run.key.state.exists("plan.json")


def replace_state(one, state):
    from dataclasses import replace

    return replace(one, state=state)


def test_a_result_that_is_gone_on_with_meanwhile_stays(source, table, monkeypatch):
    run(source, table, DAYS[0])
    kill_halfway(source, table, DAYS[1])
    age(table, 40)
    real = module.acquire

    def after_a_run(*arguments, **named):
        kill_halfway(source, table, DAYS[1], parts=(2,))
        return real(*arguments, **named)

    monkeypatch.setattr(module, "acquire", after_a_run)
    assert "unfinished results" not in cleaned(table).removed
    monkeypatch.undo()
    summary = run(source, table, DAYS[1], **SMALL)
    assert summary.parts["reused"] == 3


def test_a_result_that_is_published_meanwhile_keeps_its_files(source, table, monkeypatch):
    """Its parts are old, and it is published between the looks at its markers and at the log."""
    run(source, table, DAYS[0])
    with Job.open(request(source, table, DAYS[1], **SMALL)) as job:
        run_chunk(job.run, range(5))
        for path in table.glob("part-*.parquet"):
            age(path, 40)
        real = old_files._marked

        def then_published(*arguments):
            found = real(*arguments)
            reduce(job.run, FACTS)
            return found

        monkeypatch.setattr(old_files, "_marked", then_published)
        cleaned(table)
    nothing_is_wrong(table)
    assert len(tidemill.read_matrix(table)) == 10


def test_the_log_is_cut_at_a_checkpoint_that_all_readers_within_keep_have(source, table):
    for _ in range(2):
        run(source, table, DAYS[0])
        change(source, DAYS[0], 6)
        run(source, table, DAYS[0])
        DeltaTable(table).create_checkpoint()
        change(source, DAYS[0], 7)
        run(source, table, DAYS[0])
        change(source, DAYS[0], 5)
    age(table, 40)
    versions = sorted(read_log(layout_of(table)).commits)
    assert versions == list(range(6))
    age(table / "_delta_log" / f"{5:020d}.json", 1)
    done = cleaned(table)
    log = read_log(layout_of(table))
    assert (sorted(log.commits), sorted(log.checkpoints)) == ([4, 5], [4, 5])
    assert done.removed["log of the table"].files == 5  # of four versions, and a checkpoint
    assert [DeltaTable(table, version=n).version() for n in (4, 5)] == [4, 5]
    run(source, table, DAYS[1])
    nothing_is_wrong(table)


def test_records_of_what_is_shown_stay(source, table):
    for day in DAYS:
        run(source, table, day)
    age(table, 400)
    cleaned(table)
    assert len(history(layout_of(table))) == 3
    drop_intervals(layout_of(table), DAYS[2])
    age(table, 400)
    done = cleaned(table)
    assert len(history(layout_of(table))) == 1
    assert done.removed["part files"].files == 2
    nothing_is_wrong(table)


def test_what_a_killed_drop_left_goes(source, table):
    for day in DAYS:
        run(source, table, day)
    kept = {path.name: path.read_bytes() for path in (table / "_tidemill" / "intervals").iterdir()}
    drop_intervals(layout_of(table), DAYS[2])
    for name, content in kept.items():
        (table / "_tidemill" / "intervals" / name).write_bytes(content)
    age(table, 40)
    assert cleaned(table).removed["leftovers of intervals"].files == 2
    assert [path.stem for path in (table / "_tidemill" / "intervals").iterdir()] == [NAMES[2]]
    nothing_is_wrong(table)


# Sinks without intervals


@pytest.fixture(params=["matrix", "matrix.parquet", "matrix.csv"])
def matrix(request, tmp_path):
    """A published matrix that was published once before, and a killed run on other data."""
    sink = tmp_path / request.param
    for ids in (6, 7):
        with opened(make_input(tmp_path, n_ids=ids), sink) as job:
            pass
        extract_here(job.request)
    series = make_input(tmp_path, n_ids=8)
    with opened(series, sink) as job:
        run_chunk(job.run, [0, 1, 2])
    return job.request, sink


def test_a_matrix_is_cleaned_too(matrix, tmp_path):
    given, sink = matrix
    shown = tidemill.read_matrix(sink)
    for path in (sink, SinkLayout.of(sink).state.local_path()):
        age(path, 40)
    done = cleaned(sink)
    assert done.removed["unfinished results"].files == 4  # a plan and three markers
    assert done.removed["part files"].files == 3 + (0 if sink.suffix else 6)
    assert tidemill.read_matrix(sink).equals(shown)
    nothing_is_wrong(sink)
    summary = extract_here(given)
    assert (summary.parts["reused"], summary.rows) == (0, 8)


def test_a_matrix_whose_run_was_killed_today_goes_on(matrix):
    given, sink = matrix
    cleaned(sink, "1h")
    assert extract_here(given).parts["reused"] == 3
    nothing_is_wrong(sink)


def test_a_run_on_a_matrix_keeps_all_it_has(matrix):
    given, sink = matrix
    with Job.open(given) as job:
        run_chunk(job.run, [3])
        age(sink.parent, 40)
        cleaned(sink, "1h")
        run_chunk(job.run, range(4, 8))
        assert reduce(job.run, FACTS).parts == {
            "total": 8, "calculated": 5, "reused": 3, "quarantined": 0
        }  # fmt: skip
    nothing_is_wrong(sink)


def test_a_damaged_pointer_keeps_results(matrix):
    _, sink = matrix
    layout = layout_of(sink)
    layout.state.write("published.json", b"{")
    age(sink.parent, 40)
    done = cleaned(sink)
    assert "unfinished results stay: published.json is damaged" in done.left[0]
    assert len(layout.state.child("keys").folder()[1]) == 2


# Elsewhere


def test_spill_in_a_work_folder_goes_with_its_result(source, table, tmp_path):
    work, layout = tmp_path / "work", layout_of(table)
    run(source, table, DAYS[0])
    key = kill_halfway(source, table, DAYS[1])
    for name in (
        f"{layout.spill_prefix}{key}",
        f"{layout.spill_prefix}{'0' * 16}",
        "tidemill-other-1",
    ):
        (work / name).mkdir(parents=True)
        (work / name / "map.arrow").write_bytes(b"rows")
    age(work, 40)
    done = cleaned(table, work_dir=str(work))
    assert done.removed["spill"].files == 1
    assert {path.name for path in work.iterdir()} == {
        f"{layout.spill_prefix}{key}",
        "tidemill-other-1",
    }
    age(table, 40)
    cleaned(table, work_dir=str(work))
    assert {path.name for path in work.iterdir()} == {"tidemill-other-1"}


def test_files_that_other_writers_replaced_go_too(source, table):
    for day in DAYS[:2]:
        run(source, table, day)
    change(source, DAYS[0], 6)
    run(source, table, DAYS[0])
    DeltaTable(table).optimize.compact()  # nothing to do: one file each
    taken = DeltaTable(table).to_pyarrow_table()
    write_deltalake(table, taken, mode="overwrite", partition_by=["interval"])
    assert list(table.glob("interval=*/part-*.parquet"))
    age(table, 40)
    write_deltalake(table, taken, mode="overwrite", partition_by=["interval"])
    for path in (table / "_delta_log").glob("*.json"):
        age(path, 40)
    cleaned(table)
    shown = {path.partition("/table/")[2] for path in DeltaTable(table).file_uris()}
    assert {name for name in files(table) if name.endswith(".parquet") and "_" not in name} == shown


def test_files_of_others_stay(source, table):
    run(source, table, DAYS[0])
    own = ["notes.parquet", "data/part-1.parquet", "_x/part-1.parquet", "part-1.csv", "README"]
    for name in own:
        (table / name).parent.mkdir(exist_ok=True)
        (table / name).write_text("mine")
    age(table, 400)
    cleaned(table)
    assert all((table / name).exists() for name in own)


def test_what_tidemill_did_not_make_is_refused(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / f"part-{'0' * 16}-000000-{'1' * 16}.parquet").write_text("mine")
    write_deltalake(tmp_path / "foreign", pd.DataFrame({"a": [1]}))
    age(tmp_path, 400)
    before = files(tmp_path)
    for name, told in (
        ("mine", "holds nothing of tidemill"),
        ("none", "holds nothing of tidemill"),
        ("none.parquet", "holds nothing of tidemill"),
        ("foreign", "tidemill did not make"),
    ):
        with pytest.raises(SinkError, match=told):
            cleaned(tmp_path / name)
    assert files(tmp_path) == before


@pytest.mark.parametrize("keep", ["5min", "0s", "soon", 7, None])
def test_too_short_a_time_is_refused(keep, table):
    with pytest.raises(ArgumentError, match="keep="):
        cleaned(table, keep)


def test_it_works_on_object_storage(source, s3, monkeypatch):
    url, options, _ = s3
    layout = SinkLayout.of(f"{url}/table", options)
    for day in DAYS:
        run(source, layout.url, day, storage_options=options)
    change(source, DAYS[1], 6)
    run(source, layout.url, DAYS[1], storage_options=options)
    kill_halfway(source, layout.url, DAYS[2], settings="efficient",
                 on_settings_change="append", storage_options=options)  # fmt: skip
    later = time.time() + 40 * 86_400
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: later))
    told = clean(layout, dry_run=True)
    done = clean(layout)
    assert told.removed == done.removed
    assert {"unfinished results", "part files", "run records", "leases"} <= set(done.removed)
    assert len([one for one in layout.home.folder()[0] if one.path.endswith(".parquet")]) == 3
    assert verify_table(layout, deep=True).faults == []
    assert run(source, layout.url, DAYS[0], storage_options=options).rows == 5


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happened_before_nothing_is_wrong_after_it(seed, source, table):
    """Days are made, changed, killed and cleaned, while time goes by."""
    rng = np.random.default_rng(seed)
    run(source, table, DAYS[0])
    killed: dict[str, int] = {}  # day to finished parts of its last attempt
    for _ in range(8):
        day = DAYS[rng.integers(3)]
        what = rng.choice(["run", "change", "kill", "clean"], p=[0.3, 0.2, 0.25, 0.25])
        if what == "change":
            change(source, day, int(rng.integers(4, 7)))
            killed.pop(day, None)
        elif what == "kill":
            kill_halfway(source, table, day, parts=range(killed.get(day, 0), 3))
            killed[day] = 3
        elif what == "run":
            summary = run(source, table, day, **SMALL, checks={"rows_drop": "off"})
            assert summary.parts["reused"] >= killed.pop(day, 0)
        else:
            keep = ["10d", "90d"][rng.integers(2)]
            matrix = tidemill.read_matrix(table)
            old = _older_than(table, keep)
            cleaned(table, keep)
            killed = {day: n for day, n in killed.items() if day not in old}
            assert tidemill.read_matrix(table).equals(matrix)
        nothing_is_wrong(table)
        _time_goes_by(table, float(rng.choice([0.1, 6.0, 50.0])))


def _older_than(table, keep):
    """The days whose unfinished results are going."""
    before = time.time() - int(keep[:-1]) * 86_400
    return {one.label for one in unfinished_results(layout_of(table)) if one.written < before}


def _time_goes_by(table, days):
    import os

    for path in table.rglob("*"):
        if path.is_file():
            moment = path.stat().st_mtime - days * 86_400
            os.utime(path, (moment, moment))
