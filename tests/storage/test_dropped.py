"""The mark of dropped intervals, and the transaction that removes their rows."""

from __future__ import annotations

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from tidemill.errors import SinkError
from tidemill.storage.delta import files_by_interval
from tidemill.storage.dropped import dropped_before, mark_dropped, not_dropped, remove_rows
from tidemill.storage.publish import publish

NAMES = [f"2026110{day}T000000Z" for day in range(1, 5)]


@pytest.fixture
def filled(layout, write_parts):
    """A table of four intervals."""
    for number, name in enumerate(NAMES):
        key = layout.key(f"{number:02d}" * 32)
        markers, schema = write_parts(key, [1, 2, 3], ["a"], n_parts=2)
        publish(layout, key, markers, schema, run_id="r", digest="d", interval=name)
    return layout


def test_the_rows_before_an_interval_go(filled):
    remove_rows(filled, NAMES[2])
    assert sorted(files_by_interval(filled)) == NAMES[2:]
    before = len(filled.home.folder("_delta_log")[0])
    remove_rows(filled, NAMES[2])
    assert len(filled.home.folder("_delta_log")[0]) == before


def test_where_there_is_no_table_nothing_is_removed(layout):
    remove_rows(layout, NAMES[0])
    assert files_by_interval(layout) == {}


def test_what_is_shown_or_after_the_mark_was_not_dropped(filled):
    assert not_dropped(filled, NAMES, ()) == NAMES
    mark_dropped(filled, NAMES[2])
    assert dropped_before(filled) == NAMES[2]
    assert not_dropped(filled, NAMES, NAMES[:1]) == [NAMES[0], *NAMES[2:]]


def test_another_writer_is_one_sentence(filled, monkeypatch):
    def late(*_arguments, **_named):
        raise CommitFailedError("a concurrent transaction deleted the same data\nsecond line")

    monkeypatch.setattr(DeltaTable, "delete", late)
    with pytest.raises(SinkError, match=r"was not changed: a concurrent .* run again") as raised:
        remove_rows(filled, NAMES[2])
    assert "second line" not in str(raised.value)


def test_a_lost_answer_of_a_removal_that_succeeded_is_no_error(filled, monkeypatch):
    real = DeltaTable.delete

    def lost(self, *arguments, **named):
        real(self, *arguments, **named)
        raise OSError("connection reset")

    monkeypatch.setattr(DeltaTable, "delete", lost)
    remove_rows(filled, NAMES[2])
    assert sorted(files_by_interval(filled)) == NAMES[2:]
