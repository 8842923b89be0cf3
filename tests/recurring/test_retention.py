"""Several tables are kept in order, each whatever becomes of the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from deltalake import write_deltalake

from tidemill.errors import ArgumentError, SinkError
from tidemill.execution.job import Job
from tidemill.planning.doors import RETENTION
from tidemill.recurring.retention import Retention, check_retention, keep_in_order

from ..support.ages import age
from ..support.daily import DAYS, NAMES, known, request, run
from ..support.inputs import make_input
from ..support.jobs import opened

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def given_of(*tables, **more):
    given = {"tables": [str(one) for one in tables], "wait_for_sink": 0.0, **more}
    return RETENTION.complete(given)


def kept(*tables, **more):
    return Retention(list(keep_in_order(given_of(*tables, **more), NOW)))


@pytest.fixture
def published(source, table):
    for day in DAYS:
        run(source, table, day)
    age(table, 40)
    return table


def test_old_intervals_are_dropped_and_old_files_removed(published):
    done = kept(published, drop_after="36h")
    (one,) = done.tables
    assert one.dropped.intervals == 1  # the first day ended on the 18th, 48 hours before
    assert list(known(published)) == list(NAMES[1:])
    assert one.cleaned.removed["leases"].files > 0
    assert done.verdict.text.startswith("Completed: 1 table: removed ")
    assert done.verdict.text.endswith(", dropped 1 interval")
    done.check()


def test_without_an_age_no_interval_is_dropped(published):
    (one,) = kept(published).tables
    assert one.dropped is None
    assert len(known(published)) == 3


def test_the_newest_interval_stays_however_old_it_is(published):
    (one,) = kept(published, drop_after="1h").tables
    assert one.dropped.intervals == 2
    assert list(known(published)) == [NAMES[2]]


def test_a_matrix_has_no_intervals_to_drop(tmp_path):
    from tidemill.execution.in_process import extract_here

    sink = tmp_path / "matrix.parquet"
    with opened(make_input(tmp_path, n_ids=3), sink) as job:
        pass
    extract_here(job.request)
    (one,) = kept(sink, drop_after="1h").tables
    assert (one.dropped, one.error) == (None, "")
    assert one.cleaned is not None


def test_a_table_that_is_worked_on_is_dropped_from_next_time(published, source):
    with Job.open(request(source, published, DAYS[2])):
        done = kept(published, drop_after="1h")
    (one,) = done.tables
    assert (one.dropped, one.error) == (None, "")
    assert "no interval was dropped: run" in done.verdict.text
    assert len(known(published)) == 3


def test_what_is_not_there_yet_is_a_warning(tmp_path):
    done = kept(tmp_path / "none")
    assert "nothing was published there yet" in done.verdict.text
    assert done.verdict.state_name == "Warned"


def test_one_that_fails_does_not_keep_the_others(published, tmp_path):
    import pandas as pd

    write_deltalake(tmp_path / "foreign", pd.DataFrame({"a": [1]}))
    done = kept(tmp_path / "foreign", published)
    assert "tidemill did not make" in done.tables[0].error
    assert done.tables[1].cleaned.total.files > 0
    with pytest.raises(SinkError, match=r"1 of 2 tables could not be kept .* first .*foreign"):
        done.check()


def test_what_was_done_is_json(published):
    done = kept(published, drop_after="36h")
    (one,) = json.loads(json.dumps([one.to_json() for one in done.tables]))
    assert one["dropped"]["intervals"] == 1
    assert one["cleaned"]["total"]["files"] > 0


@pytest.mark.parametrize(
    "given",
    [{"keep": "1s"}, {"drop_after": "x"}, {"tables": "ftp://x/y"}, {"wait_for_sink": -1}],
)
def test_what_cannot_be_meant_is_refused(given):
    with pytest.raises(ArgumentError):
        check_retention({**given_of("~/table"), **given})
    check_retention(RETENTION.complete({"tables": "~/table"}))
