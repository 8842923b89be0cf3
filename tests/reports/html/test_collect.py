"""What a report shows is what the records say."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from tidemill.execution.drift import Figures
from tidemill.reports.html import collect as module
from tidemill.reports.html.collect import collect
from tidemill.storage.intervals import interval_names, read_figures, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord, history

from .conftest import COUNT, HOLE


def test_figures_are_those_of_the_records(weeks_layout, newest):
    facts = collect(weeks_layout, newest, frozenset())
    records = read_intervals(weeks_layout, interval_names(weeks_layout))
    assert [slot.name for slot in facts.history.published] == list(records)
    for slot in facts.history.published:
        assert vars_of(slot.counts) == records[slot.name].facts
    moved = newest.acceptance["features"]["moved"]
    assert [line.name for line in facts.features] == [one["feature"] for one in moved]
    for line in facts.features:
        for place, slot in enumerate(facts.history.slots):
            if not slot.name:
                assert line.mean[place] is None
                continue
            figures = Figures.from_bytes(read_figures(weeks_layout, records[slot.name]))
            at = figures.columns.index(line.name)
            assert line.mean[place] == figures.mean[at]
            assert line.high[place] == figures.mean[at] + figures.spread[at]
            assert line.nan[place] == figures.nan_shares[at]


def vars_of(counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in counts.__slots__}


def test_ids_that_were_quarantined_or_missing(weeks_layout, newest):
    found = collect(weeks_layout, newest, frozenset()).ids
    assert [row.id for row in found.rows] == ["pump-3", "pump-4"]
    quarantined, missing = found.rows
    assert quarantined.quarantined == tuple(range(COUNT // 2, COUNT))
    assert missing.missing == tuple(range(12, 19))
    assert found.missing[HOLE] is None
    assert sum(one or 0 for one in found.missing) == 7


def test_a_report_looks_back_and_never_ahead(weeks_layout, monkeypatch):
    monkeypatch.setattr(module, "LOOKED_BACK", 5)
    records = sorted(history(weeks_layout), key=lambda one: one.interval)
    facts = collect(weeks_layout, records[11], frozenset())
    assert [slot.name for slot in facts.history.published] == [
        one.interval for one in records[7:12]
    ]


def test_a_run_without_intervals_has_no_history(weeks_layout, newest):
    facts = collect(weeks_layout, replace(newest, interval=None), frozenset())
    assert (facts.history, facts.ids, facts.features) == (None, None, ())


def test_an_interval_that_failed_before_any_was_published(tmp_path):
    record = RunRecord("a", "2030-01-01", state="failed", interval="20300101T000000Z")
    facts = collect(SinkLayout.of(tmp_path / "table"), record, frozenset())
    assert len(facts.history.slots) == 1
    assert facts.verdict.outcome == "Failed"


@pytest.mark.parametrize("folder", ["figures", "coverage"])
def test_what_is_damaged_or_gone_is_not_known(weeks, tmp_path, newest, folder, caplog):
    shutil.copytree(weeks, tmp_path / "table")
    paths = sorted((tmp_path / "table" / "_tidemill" / folder).iterdir())
    paths[2].write_bytes(b"damaged")
    paths[3].unlink()
    facts = collect(SinkLayout.of(tmp_path / "table"), newest, frozenset())
    known = facts.features[0].mean if folder == "figures" else facts.ids.missing
    assert [place for place, one in enumerate(known) if one is None] == [2, 3, HOLE]
    assert "was damaged" in caplog.text


def test_too_many_ids_are_not_compared(weeks_layout, newest, monkeypatch):
    monkeypatch.setattr(module, "MOST_COMPARED", 10)
    found = collect(weeks_layout, newest, frozenset()).ids
    assert "too many" in found.note
    assert [row.id for row in found.rows] == ["pump-3"]
