"""What a report says of the intervals of its table."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tidemill.reports.html.collect import collect
from tidemill.reports.html.history import History, Slot
from tidemill.reports.html.id_map import IdMap
from tidemill.reports.html.table_sections import ids, key_figures, moved, numbers
from tidemill.reports.text import number_text, percent_text
from tidemill.storage.record import history as run_records

from ...support.html_pages import cells, read
from .conftest import COUNT, HOLE


@pytest.fixture(scope="module")
def facts(weeks_layout, newest):
    runs = frozenset(record.run_id for record in run_records(weeks_layout))
    return collect(weeks_layout, newest, runs)


def test_each_figure_of_each_interval_is_in_the_table(facts):
    rows = cells(read(numbers(facts, facts.history)).one("table"))
    assert len(rows) == COUNT
    for slot, row in zip(facts.history.slots[::-1], rows, strict=True):
        if slot.counts is None:
            assert row[1:] == ["-"] * 5 + [""]
            continue
        counts = slot.counts
        assert row[0] == slot.label
        assert row[1:5] == [
            f"{counts.rows:,}",
            f"{counts.input_rows:,}",
            percent_text(counts.nan_cells / counts.cells),
            f"{counts.quarantined:,}",
        ]
        assert row[6] == slot.run_id


def test_the_newest_figures_are_large(facts, newest):
    cards = read(key_figures(facts, facts.history)).all("article")
    counts = newest.acceptance["facts"]
    assert [card.one("b").text for card in cards] == [
        f"{counts['rows']:,}",
        f"{counts['input_rows']:,}",
        percent_text(counts["nan_cells"] / (counts["rows"] * counts["columns"])),
        "1",
    ]
    assert "1 quarantined, 0 missing" in cards[3].text


def test_a_slot_leads_to_the_report_of_its_run(facts):
    cards = read(key_figures(facts, facts.history)).all("article")
    links = [one.attributes["href"] for one in cards[0].all("a")]
    assert links == [f"{slot.run_id}.html" for slot in facts.history.published]
    unlinked = replace(facts, reports=frozenset())
    assert read(key_figures(unlinked, facts.history)).all("a") == []


def test_a_gap_is_drawn_where_an_interval_is_not_published(facts):
    drawn = key_figures(facts, facts.history)
    assert drawn.count(f'<path d="M{HOLE} 0h1v100h-1z" class="gap">') == 4


def test_a_run_that_published_nothing_shows_what_was_published_before(facts):
    history = History((*facts.history.slots, Slot("2026-10-25, not published")))
    cards = read(key_figures(replace(facts, ids=None), history)).all("article")
    last = facts.history.slots[-1].label
    assert f"in {last}, the last that is published" in cards[0].text


def test_a_result_that_failed_a_check_says_so(facts):
    refused = replace(facts.history.slots[-1], label="a, not published", name="", is_refused=True)
    history = History((*facts.history.slots[:-1], refused))
    drawn = key_figures(replace(facts, ids=None), history)
    assert drawn.count('class="refused"') == 3
    before = facts.history.slots[-2]
    said = f"not published; {before.counts.rows} in {before.label}"
    assert said in read(drawn).all("article")[0].text


def test_a_single_interval_has_figures_and_no_drawings(facts):
    alone = History(facts.history.slots[-1:])
    cards = read(key_figures(replace(facts, ids=None), alone)).all("article")
    assert [len(card.all("svg")) for card in cards] == [0] * 4
    assert all(card.one("b").text for card in cards)


def test_features_that_moved_are_those_of_the_record(facts, newest):
    cards = read(moved(facts, facts.history)).all("li")
    rows = newest.acceptance["features"]["moved"]
    (note,) = [one for one in read(moved(facts, facts.history)).all("p") if "A move" in one.text]
    assert note.text.endswith(("to either side.", "of the height is all."))
    assert [card.one("h3").text for card in cards] == [row["feature"] for row in rows]
    for card, row in zip(cards, rows, strict=True):
        assert card.one("b").text == f"{row['move']:.2g}"
        assert number_text(row["mean_before"]) in card.text
        assert number_text(row["mean"]) in card.text
        assert len(card.all("rect")) == COUNT


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({}, "This is the first interval"),
        ({"before": "2026-10-01", "moved": None}, "No figures were kept"),
        ({"before": "2026-10-01", "moved": []}, "None has moved since 2026-10-01."),
    ],
)
def test_nothing_moved(facts, newest, features, said):
    record = replace(newest, acceptance={**newest.acceptance, "features": features})
    assert said in moved(replace(facts, record=record, features=()), facts.history)


def test_the_map_shows_where_ids_had_no_row(facts):
    tree = read(ids(facts.history, facts.ids))
    rows = cells(tree.one("table"))
    assert [row[0] for row in rows] == ["pump-3", "pump-4"]
    assert rows[0][2] == f"{COUNT // 2} quarantined"
    assert rows[1][2] == "7 missing"
    strips = [one for one in tree.all("svg") if one.attributes["class"] == "strip"]
    drawn = {path.attributes["class"]: path.attributes["d"] for path in strips[0].all("path")}
    assert len(re.findall("M", drawn["quarantined"])) == COUNT // 2
    assert drawn["quarantined"].startswith(f"M{COUNT // 2} 0h1")


def test_a_map_of_nobody(facts):
    nobody = IdMap((), 0, (None,) * COUNT, "why not")
    said = ids(facts.history, nobody)
    assert f"None in the last {COUNT - 1} intervals." in said
    assert "why not" in said
    alone = History(facts.history.slots[-1:])
    assert "None in this interval." in ids(alone, IdMap((), 0, (None,)))


def test_ids_that_the_map_does_not_name_are_counted(facts):
    many = replace(facts.ids, count=1_002)
    assert "1,000 more ids were quarantined or missing" in ids(facts.history, many)
