"""What a report says of the run alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.execution.verdicts import verdict_of
from tidemill.reports.html import run_sections
from tidemill.reports.html.collect import RunFacts
from tidemill.reports.html.history import History, Slot
from tidemill.reports.html.run_sections import calculated, checks, headline, left_out, times
from tidemill.reports.text import percent_text, seconds_text
from tidemill.storage.record import RunRecord

from ...support.html_pages import cells, read

STARTED = "2030-01-01T02:03:04.567+00:00"


def facts(record: RunRecord, **more) -> RunFacts:
    return RunFacts(record, verdict_of(record), **more)


@pytest.mark.parametrize(
    ("record", "look"),
    [
        (RunRecord("a", STARTED, state="finished"), "good"),
        (RunRecord("a", STARTED, state="finished", parts={"quarantined": 2}), "warned"),
        (RunRecord("a", STARTED, state="failed", message="SinkError: no: room"), "failed"),
        (RunRecord("a", STARTED, state="cancelled"), "calm"),
        (RunRecord("a", STARTED), "calm"),
    ],
)
def test_the_verdict_is_the_headline(record, look):
    tree = read(headline(facts(record)))
    assert tree.one("h1").text == verdict_of(record).text
    (box,) = [one for one in tree.all("div") if "verdict" in (one.attributes.get("class") or "")]
    assert box.attributes["class"] == f"verdict {look}"


def test_a_long_reason_is_told_whole():
    record = RunRecord("a", STARTED, state="failed", message="InputError: " + "so long " * 200)
    tree = read(calculated(facts(record)))
    assert record.message.strip() in tree.text
    short = replace(record, message="InputError: short")
    assert "InputError" not in calculated(facts(short))  # it is in the headline


@pytest.mark.parametrize(
    ("state", "shown", "said"),
    [
        ("failed", "a", "Nothing was published. The table still shows the rows of run a."),
        ("failed", "", "Nothing was published: the table has no rows of this interval."),
        ("finished", "a", "Its rows were replaced since, by run a."),
        ("finished", "", "They are gone."),
        ("finished", "b", None),
    ],
)
def test_what_the_table_shows_of_another_run_is_said(state, shown, said):
    record = RunRecord("b", STARTED, state=state, interval="x", message="no")
    history = History((Slot("2029-12-31", "x", shown),), shown)
    tree = read(headline(facts(record, history=history, reports=frozenset("a"))))
    notes = [one for one in tree.all("p") if one.attributes.get("class") == "note"]
    assert [one.text for one in notes] == ([said] if said else [])
    links = [one.attributes["href"] for note in notes for one in note.all("a")]
    assert links == (["a.html"] if shown == "a" else [])


def test_checks_are_those_of_the_record(newest):
    rows = cells(read(checks(newest)).one("table"))
    measures = newest.acceptance["measures"]
    levels = {one["check"]: one["level"] for one in newest.acceptance["checks"]}
    assert [row[0] for row in rows] == list(measures)
    for (_, result, figure, warn, fail), (name, one) in zip(rows, measures.items(), strict=True):
        shown = percent_text if one["is_share"] else "{:,}".format
        assert result == levels.get(name, "ok")
        assert figure == shown(one["figure"])
        assert [warn, fail] == [
            shown(one["limits"][level]) if level in one["limits"] else "off"
            for level in ("warn", "fail")
        ]
    assert levels["bad_files"] == "warn"


def test_a_check_without_anything_to_compare_with_says_so(newest):
    measures = {"rows_drop": {"figure": None, "is_share": True, "limits": {"warn": 0.1}}}
    record = replace(newest, acceptance={"measures": measures, "checks": []})
    ((_, result, figure, warn, fail),) = cells(read(checks(record)).one("table"))
    assert (result, figure, warn, fail) == ("nothing to compare with", "-", "10%", "off")


def test_what_could_not_be_used_is_listed(newest):
    tree = read("".join(left_out(newest)))
    titles = [one.text for one in tree.all("h2")]
    assert titles == ["Files that were left out", "Quarantined"]
    files, series = (cells(one) for one in tree.all("table"))
    assert files == [[one["path"], one["reason"]] for one in newest.bad_files]
    assert [row[0] for row in series] == [one.id for one in newest.quarantined]


def test_long_lists_are_cut_and_counted(newest):
    many = tuple(replace(newest.quarantined[0], id=str(one)) for one in range(50))
    record = replace(newest, quarantined=many, parts={"quarantined": 1_234}, bad_files=())
    tree = read("".join(left_out(record)))
    assert len(cells(tree.one("table"))) == run_sections.LINES
    assert "1,234 in all." in tree.text


def test_times_add_up(newest):
    tree = read(times(newest))
    steps, calculators = (cells(one) for one in tree.all("table"))
    assert [[row[0], row[2]] for row in steps] == [
        [name, seconds_text(value)] for name, value in newest.seconds.items()
    ]
    assert len(calculators) == len(newest.seconds_by_calculator)
    many = replace(newest, seconds_by_calculator={str(one): 1.0 for one in range(100)})
    bars = cells(read(times(many)).all("table")[1])
    assert len(bars) == run_sections.SLOWEST + 1
    assert bars[-1][0] == f"{100 - run_sections.SLOWEST} others"
    assert times(RunRecord("a", STARTED)) is None


def test_records_of_an_older_version_are_shown():
    record = RunRecord("a", STARTED, state="finished", acceptance={"replaced": "b"}, interval="x")
    assert "of run " in calculated(facts(record))
    assert checks(record) is None
