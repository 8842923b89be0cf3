"""The page is whole and harmless, and the same in a browser at any width, light or dark."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tidemill.execution.verdicts import verdict_of
from tidemill.model.series import Quarantined
from tidemill.reports.html.collect import RunFacts, collect
from tidemill.reports.html.history import History, Slot
from tidemill.reports.html.id_map import IdMap, IdRow
from tidemill.reports.html.page import page
from tidemill.storage.failures import FailureCount
from tidemill.storage.record import RunRecord, history

from ...support.browser import browser_page, take_picture
from ...support.hostile import HOSTILE
from ...support.html_pages import check_page, every, section

WIDTHS = (390, 820, 1440)
PICTURE = {"width": 1280, "height": 1150}  # its upper half, for the documentation
STARTED = "2030-01-01T00:00:00+00:00"
FAILED = RunRecord(
    "a", STARTED, state="failed", message="InputError: no", interval="20300101T000000Z",
    interval_label="2030-01-01",
)  # fmt: skip


def hostile_facts(text: str) -> RunFacts:
    """Facts in which every text is that one."""
    features = {"before": text, "moved": [], "most_nan": [], "all_nan": 0}
    changes = {name: {"count": 1, "ids": [text]} for name in ("added", "removed", "altered")}
    check = {"check": text, "level": "warn", "fact": text, "sentence": text}
    measure = {"figure": 1, "is_share": False, "limits": {"warn": 0}}
    record = RunRecord(
        run_id=text, started=text, state="finished", sink=text, source=text,
        interval=text, interval_label=text, reason=text, notes=(text,), digest=text,
        time_zone_of_input=text, cluster={"name": text}, versions={text: text},
        policies={text: text}, seconds={text: 1.0}, seconds_by_calculator={text: 1.0},
        quarantined=(Quarantined(text, text, text, since=text),),
        errors=(FailureCount(text, text, text, 3),), bad_files=({"path": text, "reason": text},),
        acceptance={
            "replaced": text, "changes": changes, "columns": {"new": [text], "vanished": [text]},
            "settings_change": text, "measures": {text: measure}, "checks": [check],
            "features": features, "facts": {},
        },
    )  # fmt: skip
    slots = (Slot(text, text, text, quarantined=record.quarantined), Slot(text))
    ids = IdMap((IdRow(text, (0,), (1,), record.quarantined[0]),), 1, (None, 1), text)
    return RunFacts(
        record, verdict_of(record), frozenset({text}), History(slots, "another"), (), ids
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_can_do_anything(text):
    tree = check_page(page(hostile_facts(text)))
    # Exactly as many elements as for a text of no consequence: nothing was added or closed early.
    names = [one.name for one in every(tree) if one.name != "wbr"]
    harmless = every(check_page(page(hostile_facts("harmless"))))
    assert names == [one.name for one in harmless if one.name != "wbr"]


@pytest.fixture(scope="module")
def whole(weeks_layout, newest) -> str:
    """The report of a table of several weeks."""
    runs = frozenset(record.run_id for record in history(weeks_layout))
    return page(collect(weeks_layout, newest, runs))


def test_the_report_of_an_interval(whole, newest):
    tree = check_page(whole)
    assert tree.one("h1").text == verdict_of(newest).text
    assert [one.text for one in tree.all("h2")] == [
        "The last 23 intervals",
        "What was calculated, and why",
        "Checks",
        "Files that were left out",
        "Quarantined",
        "Features that moved most",
        "Quarantined and missing ids, by interval",
        "Where the time went",
    ]
    said = section(tree, "What was calculated, and why").text
    assert f"{newest.rows:,} rows of {newest.columns:,} columns" in said
    assert newest.digest[:16] in said


def test_the_report_of_a_run_without_intervals(newest):
    record = replace(newest, interval=None, acceptance={})
    tree = check_page(page(RunFacts(record, verdict_of(record))))
    assert [one.text for one in tree.all("h2")] == [
        "What was calculated, and why",
        "Files that were left out",
        "Quarantined",
        "Where the time went",
    ]


def test_the_report_of_a_failed_run(weeks_layout):
    tree = check_page(page(collect(weeks_layout, FAILED, frozenset())))
    assert tree.one("h1").text == "Failed: InputError: no"
    said = "Nothing was published: the table has no rows of this interval."
    assert said in tree.one("header").text
    assert not re.search("Checks|moved most", tree.text)


def test_the_page_names_itself(whole, newest):
    title = check_page(whole).one("head").one("title")
    assert title.text == f"table · {newest.interval_label} · {verdict_of(newest).text}"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("kind", ["weeks", "hostile", "failed"])
def test_in_a_browser(whole, weeks_layout, kind, mode, tmp_path):
    """No script runs, nothing is asked for, and no width makes the page scroll sideways."""
    facts = {
        "weeks": lambda: whole,
        "hostile": lambda: page(hostile_facts("<img src=x onerror=alert(1)>" + "x" * 500)),
        "failed": lambda: page(collect(weeks_layout, FAILED, frozenset())),
    }
    path = tmp_path / "report.html"
    path.write_text(facts[kind]())
    options = {"color_scheme": mode, "java_script_enabled": False}
    with browser_page(**options) as opened:
        said, asked = [], []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        for width in WIDTHS:
            opened.set_viewport_size({"width": width, "height": 900})
            opened.goto(path.as_uri())
            assert opened.evaluate("document.documentElement.scrollWidth") == width
            assert opened.locator("h1").is_visible()
        if (kind, mode) == ("weeks", "light"):
            opened.set_viewport_size(PICTURE)
            take_picture(opened, "html_report", tmp_path)
        assert said == []
        assert set(asked) == {path.as_uri()}
