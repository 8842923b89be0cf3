"""What readers of older versions need, whatever became of the log since."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tidemill.storage.delta_log import read_log, write_checkpoint
from tidemill.storage.layout import SinkLayout

from ..support.ages import DAY, age

NOW = time.time()


@pytest.fixture
def table(tmp_path):
    """Five versions, each of one file; version n is 50 - 10 n days old."""
    folder = tmp_path / "table"
    for n in range(5):
        write_deltalake(folder, pa.table({"a": [n]}), mode="overwrite")
        age(folder / "_delta_log" / f"{n:020d}.json", 50 - 10 * n)
    return folder


def files_of(table, *versions):
    found = (uri for n in versions for uri in DeltaTable(table, version=n).file_uris())
    return {uri.rpartition("/")[2] for uri in found}


def log_of(table):
    return read_log(SinkLayout.of(table))


@pytest.mark.parametrize(
    ("days", "newest", "versions"),
    [(60, None, range(5)), (45, 0, range(5)), (25, 2, (2, 3, 4)), (1, 4, (4,))],
)
def test_the_files_of_all_versions_that_were_the_newest_since_then(days, newest, versions, table):
    log = log_of(table)
    assert log.newest_at(NOW - days * DAY) == newest
    assert log.needed_files(NOW - days * DAY) == files_of(table, *versions)


def test_a_version_whose_log_is_gone_has_no_readers(table):
    DeltaTable(table, version=3).create_checkpoint()
    wanted = files_of(table, 3, 4)
    for n in range(3):
        (table / "_delta_log" / f"{n:020d}.json").unlink()
    log = log_of(table)
    assert log.needed_files(NOW - 25 * DAY) == wanted
    assert log.needed_files(NOW - 60 * DAY) == wanted
    assert log.expired(NOW) == [log.commits[3], *log.checkpoints[3]]


def test_nothing_is_expired_without_a_checkpoint_that_old_readers_have(table):
    log = log_of(table)
    assert log.expired(NOW - 25 * DAY) == []
    DeltaTable(table, version=3).create_checkpoint()
    assert log_of(table).expired(NOW - 25 * DAY) == []
    DeltaTable(table, version=1).create_checkpoint()
    assert log_of(table).expired(NOW - 25 * DAY) == [log.commits[0]]


def test_a_checkpoint_is_written_once(table):
    assert write_checkpoint(log_of(table))
    assert not write_checkpoint(log_of(table))
    assert sorted(log_of(table).checkpoints) == [4]
    assert len(log_of(table).expired(NOW)) == 4
    assert DeltaTable(table).version() == 4


def test_where_there_is_no_table_there_is_no_log(tmp_path):
    log = log_of(tmp_path / "none")
    assert (log.version, log.expired(NOW), log.needed_files(NOW)) == (-1, [], frozenset())
    assert not write_checkpoint(log)


def test_a_commit_that_expires_meanwhile_is_passed_over(table):
    log = log_of(table)
    wanted = files_of(table, 2, 4)
    (table / "_delta_log" / f"{3:020d}.json").unlink()
    assert log.needed_files(NOW - 25 * DAY) == wanted
