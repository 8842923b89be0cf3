"""Chunks of the missing parts, the spill, and progress."""

from __future__ import annotations

import pytest

from tidemill.execution import steps
from tidemill.execution.chunk import run_chunk
from tidemill.execution.plans import missing_parts
from tidemill.execution.steps import PartsWatch, choose_chunks
from tidemill.model.progress import subscribe
from tidemill.storage.markers import begin_attempt, renew_attempt

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def test_the_next_attempt_deals_only_missing_parts(series, sink):
    with opened(series, sink) as job:
        run_chunk(job.run, [1, 4])
    with opened(series, sink) as job:
        assert missing_parts(job.run) == [0, 2, 3, 5]
        dealt = choose_chunks(job.run, 2)["chunks"]
        assert sorted(part for chunk in dealt for part in chunk) == [0, 2, 3, 5]


def test_plain_functions_are_spread_over_the_threads(series, sink, probe):
    """Their cost is not known, so tiny parts are not taken for tiny work."""
    with opened(series, sink) as job:
        assert len(choose_chunks(job.run, 3)["chunks"]) == 1
    with opened(series, sink, **probe.arguments) as job:
        assert len(choose_chunks(job.run, 3)["chunks"]) >= 3


def test_progress_counts_committed_parts(series, sink):
    heard = []
    with opened(series, sink) as job, subscribe(heard.append):
        watch = PartsWatch(job.run)
        run_chunk(job.run, [0, 1])
        watch.look(now=True)
        watch.look()  # too early
        run_chunk(job.run, [2])
        watch.look(now=True)
    shown = [(one.parts_done, one.parts_total, one.ids_done) for one in heard]
    assert shown == [(2, 6, 2), (3, 6, 3)]


def test_notes_in_marks_of_this_run_are_shown_once(series, sink, monkeypatch):
    """Whoever works on the part may be another process, on another host."""
    monkeypatch.setattr(steps, "NOTES_SECONDS", 0.0)
    heard = []
    with opened(series, sink) as job, subscribe(heard.append):
        key, watch = job.run.key, PartsWatch(job.run)
        for index, run_id in enumerate([job.run.run_id, "of an earlier run", job.run.run_id]):
            mark = begin_attempt(key, index, generation=1, run_id=run_id)
            if index < 2:
                renew_attempt(key, mark, hangs=False, note=f"part {index + 1} is slow")
        for _ in range(4):
            watch.look(now=True)
    assert [one.note for one in heard if one.note] == ["part 1 is slow"]
    assert {one.step for one in heard if one.note} == {""}
