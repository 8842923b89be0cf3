"""Which ids a map names, and where."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tidemill.execution.checks import ResultCounts
from tidemill.model.series import Quarantined
from tidemill.reports.html import id_map
from tidemill.reports.html.history import History, Slot
from tidemill.reports.html.id_map import map_ids


def history(*quarantined) -> History:
    slots = [
        Slot(f"day {place}", f"{place}", f"run-{place}", ResultCounts(4, 2), tuple(ids))
        for place, ids in enumerate(quarantined)
    ]
    return History(tuple(slots))


def ids(*names) -> pa.Array:
    return pa.array(names, pa.string())


def out(name: str) -> Quarantined:
    return Quarantined(name, "x", "is poison", since="2026-11-20")


def test_an_id_is_missing_after_it_was_there():
    found = map_ids(
        history((), (), (), ()), [ids("a", "b"), ids("a", "b", "c"), ids("b", "c"), ids("a", "c")]
    )
    assert found.missing == (0, 0, 1, 1)
    assert [(row.id, row.missing, row.quarantined) for row in found.rows] == [
        ("b", (3,), ()),
        ("a", (2,), ()),
    ]


def test_quarantined_ids_come_first():
    found = map_ids(history((), (out("q"),)), [ids("a", "m", "q"), ids("a", "q")])
    assert [row.id for row in found.rows] == ["q", "m"]
    assert found.rows[0].last == out("q")
    assert found.missing == (0, 1)


def test_a_gap_is_no_interval_without_ids():
    found = map_ids(history((), (), ()), [ids("a", "b"), None, ids("b")])
    assert found.missing == (0, None, 1)
    assert [row.missing for row in found.rows] == [(2,)]


def test_ids_that_are_new_in_every_interval_are_not_missed():
    found = map_ids(history((), (), (out("e"),)), [ids("a"), ids("c"), ids("e")])
    assert found.missing == (None, None, None)
    assert "differ from interval to interval" in found.note
    assert [row.id for row in found.rows] == ["e"]


@pytest.mark.parametrize("present", [[None, None], []])
def test_nothing_is_said_of_ids_that_are_not_known(present):
    found = map_ids(history(*[(out("q"),) for _ in present]), present)
    assert found.note == id_map.UNKNOWN
    assert {row.missing for row in found.rows} <= {()}


def test_the_first_interval_misses_nobody():
    found = map_ids(history((out("q"),)), [ids("a", "q")])
    assert (found.note, found.missing) == ("", (None,))
    assert len(found.rows) == 1


def test_a_map_names_the_worst_ids():
    all_of_them = [f"{number:03}" for number in range(100)]
    found = map_ids(history((), ()), [ids(*all_of_them), ids(*all_of_them[45:])])
    assert found.count == 45
    assert len(found.rows) == id_map.NAMED


def test_ids_are_compared_as_text():
    found = map_ids(history((), (out(7),)), [ids("7", "8"), ids("7", "8")])
    assert [row.id for row in found.rows] == ["7"]
