"""The last step: all parts or nothing, one interval at a time."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import tidemill
from tidemill.errors import LeaseLostError, SinkError
from tidemill.execution import reduce as last_step
from tidemill.execution.chunk import run_chunk
from tidemill.execution.reduce import reduce
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease_files import generation_path, read_current

from ..support.daily import DAYS, NAMES, known, look, run
from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.sinks import records


def test_every_interval_is_a_partition_and_no_other_is_touched(source, table):
    run(source, table, DAYS[0])
    before = {path: path.stat().st_mtime_ns for path in table.glob("*.parquet")}
    run(source, table, DAYS[1])
    matrix = tidemill.read_matrix(table)
    days = [pd.Timestamp(day, tz="UTC") for day in DAYS[:2]]
    assert matrix.index.unique("interval").tolist() == days
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("days", [DAYS[:2], DAYS[1::-1]])
def test_ids_of_another_type_are_refused_where_other_intervals_have_theirs(days, source, table):
    frame = pd.read_parquet(source / f"{DAYS[0]}.parquet")
    frame.assign(id="s" + frame["id"].astype(str)).to_parquet(source / "text.parquet", index=False)
    files = {DAYS[0]: source / "text.parquet", DAYS[1]: source / f"{DAYS[1]}.parquet"}
    first, second = days
    run(files[first], table, first)
    with pytest.raises(SinkError, match="Cast the input's ids to the previous type"):
        run(files[second], table, second)
    assert len(tidemill.read_matrix(table)) == 5
    run(files[first], table, first, recalculates="again")


def test_a_late_owner_leaves_the_record_of_an_interval_alone(source, table, monkeypatch):
    run(source, table, DAYS[0])
    store = SinkLayout.of(table).lease_of(NAMES[0])
    before, publish = known(table), last_step.publish

    def publish_and_be_replaced(*arguments, **options):
        published = publish(*arguments, **options)
        holder = read_current(store)
        later = replace(holder, released="it has ended since")
        assert store.create(generation_path(holder.generation + 1), later.to_json())
        return published

    monkeypatch.setattr(last_step, "publish", publish_and_be_replaced)
    with pytest.raises(LeaseLostError, match="no longer owns interval"):
        run(source, table, DAYS[0], recalculates="again")
    assert known(table) == before
    assert look(source, table, DAYS[0]).is_due


FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def test_nothing_is_published_while_parts_are_missing(series, sink):
    def reduce_early():
        with opened(series, sink) as job:
            run_chunk(job.run, [4])
            reduce(job.run, FACTS)

    with pytest.raises(SinkError, match="5 of 6 parts are missing"):
        reduce_early()
    assert not list(sink.glob("_delta_log/*"))
    assert records(sink)[-1]["state"] == "failed"
