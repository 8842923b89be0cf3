"""The status of tables as text: columns that can be compared, and sentences for one table."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidemill.execution.unfinished import Unfinished
from tidemill.model.series import Quarantined
from tidemill.recurring.table_status import GoodRows, Holes, RunNote, TableStatus
from tidemill.reports.status_text import status_details, status_lines

GOOD = GoodRows(
    "20261118T230000Z", "2026-11-19", "2026-11-20T00:00:00+01:00", "2026-11-20T01:10:00+00:00",
    "run-9", ids=48, input_rows=1_200, quarantined=2, digest="d",
)  # fmt: skip
BEFORE = replace(GOOD, label="2026-11-12", ids=50, input_rows=1_000)
WORK = Unfinished(
    "running", "x", "2026-11-20", "k", "run-10", "ann (cluster=none) on host (process 7)",
    "2026-11-20T23:00:00+00:00", 8, 3, 0.0,
)  # fmt: skip
TWO = "2026-11-20T02:00:00+00:00"
STATUS = TableStatus(
    "pumps", "intervals", "", GOOD, 5 * 3600.0, "1d", "Europe/Berlin", 0, BEFORE,
    holes=Holes(12, ("2026-11-17", "2026-11-15")),
    failed=(RunNote("x", "2026-11-20", "run-8", "failed", TWO, ("bad",)),),
    warned=(RunNote("y", "2026-11-19", "run-9", "finished", TWO, ("a", "b")),),
    quarantined=(Quarantined("7", None, "its process died"), Quarantined("8", "x", "NaN")),
    quarantined_since={"2026-11-18": 2},
    faults={"2026-11-10": "its record is damaged"},
    unfinished=(WORK,),
)  # fmt: skip
CELLS = {
    "last good": "2026-11-19",
    "age": "5 h 0 min",
    "holes": "12",
    "failed": "1",
    "warned": "1",
    "quarantined": "2",
    "rows": "+20 %",
    "ids": "-4 %",
    "running": "1",
    "next": "2026-11-20 02:00 CET",
}
DETAILS = """\
pumps
Last good        2026-11-19: 48 ids from 1,200 input rows; published 2026-11-20 02:10 CET by run run-9
Age              5 h 0 min since it ended
Week before      2026-11-12: input rows +20 %, ids -4 % since then
Holes            12 without rows: 2026-11-17, 2026-11-15, ...; tidemill backfill fills them
Failed           2026-11-20: bad (run run-8, 2026-11-20 02:00 UTC)
Warned           2026-11-19: a; b (run run-9, 2026-11-20 02:00 UTC)
Quarantined      2 of 50 ids, 2 since 2026-11-18: 7 (its process died), 8 (NaN)
Not as recorded  2026-11-10: its record is damaged
Running          2026-11-20: 3 of 8 parts done, by run run-10 of ann (cluster=none) on host (process 7) since 2026-11-21 00:00 CET
Next             2026-11-20 02:00 CET by the deployment nightly (Late)
Last ended       2026-11-20 02:00 CET by the deployment nightly, Failed: no column
On the server    Running since 2026-11-20 02:00 CET by the deployment nightly
Last ended       2026-11-20 02:00 CET by the deployment nightly, Completed"""  # noqa: E501


@dataclass
class Run:
    type: str
    state: str
    when: str = "2026-11-20T01:00:00+00:00"
    deployment: str = "nightly"
    message: str = ""


def test_each_table_is_a_line_below_its_titles():
    lines = status_lines(
        [
            (STATUS, [Run("SCHEDULED", "Scheduled")]),
            (TableStatus("s3://bucket/a/long/path", "nothing", "nothing is published here"), []),
            (TableStatus("new", "intervals"), []),
        ]
    ).splitlines()
    titles, pumps, nothing, new = lines
    assert titles.split()[:3] == ["table", "last", "good"]
    for title, cell in CELLS.items():
        at = titles.index(f" {title}") + 1
        assert pumps[at:].startswith(cell), title
    assert nothing == "s3://bucket/a/long/path  nothing is published here"
    assert new[titles.index("last good") :].startswith("none")


def test_tables_without_anything_have_no_titles():
    (line,) = status_lines([(TableStatus("a", "nothing", "gone"), [])]).splitlines()
    assert line == "a      gone"


def test_everything_about_a_table_is_said_in_its_time_zone():
    runs = [
        Run("SCHEDULED", "Late"),
        Run("FAILED", "Failed", message="no column"),
        Run("RUNNING", "Running"),
        Run("COMPLETED", "Completed", message="fine"),
    ]
    assert status_details(STATUS, runs, "") == DETAILS


def test_runs_that_ended_or_are_silent_are_no_running_ones():
    two = (replace(WORK, state="ended"), replace(WORK, state="silent", parts=0, label=""))
    text = status_details(replace(STATUS, unfinished=two), [], "not known")
    assert "Unfinished       2026-11-20: 3 of 8 parts done; run run-10 has ended" in text
    assert "Silent           no part done yet, by run run-10" in text
    assert "it gives no sign of life" in text
    assert text.endswith("Next             not known")


def test_long_lists_are_cut():
    many = replace(STATUS, failed=STATUS.failed * 9)
    assert "Failed           ... and 4 more" in status_details(many, [], "")


def test_a_table_without_good_rows_says_so():
    text = status_details(TableStatus("new", "intervals"), [], "")
    assert "none: no rows are published that are as recorded" in text


def test_text_from_outside_cannot_steer_a_terminal():
    status = replace(STATUS, sink="a\x1b[2J", quarantined=(Quarantined("\x1b[2J", None, "\x07"),))
    for text in (status_details(status, [], ""), status_lines([(status, [])])):
        assert "\x1b" not in text
        assert "\x07" not in text
