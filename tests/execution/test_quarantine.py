"""Poison over several runs: when it is tried again, what that costs, and how old it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pytest

import tidemill
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.execution.kernels import load_kernels
from tidemill.execution.plans import load_plan
from tidemill.execution.records import RunSummary
from tidemill.execution.reduce import reduce
from tidemill.model.versions import versions
from tidemill.planning import prepare, quarantine
from tidemill.planning.request import Request, make_request
from tidemill.recurring.latest import request_for

from ..support import daily
from ..support.inputs import make_days, make_input
from ..support.jobs import leave_dead_attempt
from ..support.sinks import attempt_marks

FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}
DAYS = ["2026-11-18", "2026-11-19"]


def isolated(request: Request, suspects: Sequence[int]) -> RunSummary:
    """Carry a request out as if a worker had died at some of its parts."""
    with Job.open(request) as job:
        load_kernels(job.run)
        parts = [part.index for part in load_plan(job.run).parts]
        for index in suspects:
            leave_dead_attempt(job.run, index)
        run_chunk(job.run, parts)
        return reduce(job.run, FACTS)


@pytest.fixture
def newer(monkeypatch):
    """Make this process believe that numpy has another version."""

    def make(numpy):
        for module in (quarantine, prepare):
            monkeypatch.setattr(module, "versions", lambda: {**versions(), "numpy": numpy})

    return make


def poison_of(summary):
    return [(one["id"], one["since"]) for one in summary.quarantined]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_poison_is_tried_again_when_asked_and_once_per_version(name, tmp_path, probe, newer):
    series, sink = make_input(tmp_path, n_ids=3), tmp_path / name
    made_anew = {1} if name == "matrix" else {0, 1, 2}  # a file has no parts that stay
    arguments = {"sink": sink, **series.arguments, **probe.arguments}
    seen = probe.counts

    def calls() -> Counter[int]:
        nonlocal seen
        before, seen = seen, probe.counts
        return seen - before

    def extract(**options):
        return extract_here(make_request(**arguments, **options))

    probe.tell(1, "kill")
    summary = isolated(make_request(**arguments), [1])
    ((poison, since),) = poison_of(summary)
    assert (poison, summary.quarantined_since) == ("1", {"new": 1})
    assert set(calls()) == {0, 1, 2}
    # Nothing changed, nothing is tried.
    summary = extract()
    assert (poison_of(summary), calls()) == ([("1", since)], Counter())
    assert summary.quarantined_since == {since[:10]: 1}
    # Asked for: isolated from the start, so this process lives; the other parts stay.
    assert poison_of(extract(retry_quarantined=True)) == [("1", since)]
    assert set(calls()) == made_anew
    # Another version of what calculates: tried, and once.
    newer("99.0")
    assert poison_of(extract()) == [("1", since)]
    assert set(calls()) == made_anew
    assert poison_of(extract()) == [("1", since)]
    assert calls() == Counter()
    # It was mended since, and the next version finds that out.
    probe.forget(1)
    newer("99.1")
    summary = extract()
    assert (poison_of(summary), summary.rows) == ([], 3)
    assert set(calls()) == made_anew
    matrix = tidemill.read_matrix(sink)
    means = series.frame.groupby("id")["value"].mean()
    pd.testing.assert_series_equal(matrix["value__mean"], means, check_names=False)
    extract(retry_quarantined=True)
    assert calls() == Counter(), "there is no poison any more"
    if name == "matrix":
        assert attempt_marks(sink) == []


@pytest.mark.slow
def test_an_interval_is_tried_again_when_asked_and_once_per_version(tmp_path, probe, newer):
    series, table = make_days(tmp_path, DAYS, n_ids=3), tmp_path / "table"
    given = {**probe.arguments, "part_bytes": series.part_bytes}
    for value in (1, 101):  # the id 1 of both days
        probe.tell(value, "kill")

    def look(day, **options):
        return daily.look(series.path, table, day, **given, **options)

    def calculate(day, **options):
        about = daily.request(series.path, table, day, **given, **options)
        return extract_here(request_for(about, look(day, **options)))

    first = isolated(daily.request(series.path, table, DAYS[0], **given), [1])
    ((poison, since),) = poison_of(first)
    assert (poison, first.quarantined_since) == ("1", {"new": 1})
    # The next interval expects it, and isolates its part: this process lives. It keeps its age.
    second = calculate(DAYS[1])
    assert poison_of(second) == [("1", since)]
    tries = probe.counts[101]
    assert (tries > 0, probe.counts[100], probe.counts[102]) == (True, 1, 1)
    assert [look(day).state for day in DAYS] == ["unchanged"] * 2
    asked = look(DAYS[0], retry_quarantined=True)
    assert (asked.state, asked.reason) == (
        "recalculated", "1 quarantined id is tried again: as was asked for"
    )  # fmt: skip
    probe.forget(1)
    assert poison_of(calculate(DAYS[0], retry_quarantined=True)) == []
    assert look(DAYS[0], retry_quarantined=True).state == "unchanged"
    newer("99.0")
    found = look(DAYS[1])
    assert found.state == "recalculated"
    assert found.reason.startswith("1 quarantined id is tried again: numpy changed from ")
    assert poison_of(calculate(DAYS[1])) == [("1", since)]
    assert probe.counts[101] > tries
    assert [look(day).state for day in DAYS] == ["unchanged"] * 2
    rows = tidemill.read_matrix(table, "20261119T000000Z")
    assert rows.index.tolist() == [0, 2]
