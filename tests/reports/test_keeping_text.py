"""What is said of files that were removed, and of intervals that were dropped."""

from __future__ import annotations

from dataclasses import replace

from tidemill.execution.clean import Cleaned, Removed
from tidemill.recurring.drop_intervals import Dropped
from tidemill.recurring.retention import KeptTable
from tidemill.reports.keeping_text import cleaned_text, dropped_text, kept_page

DROPPED = Dropped(
    sink="pumps", before="2026-11-19T00:00:00+01:00", dry_run=False, intervals=1_200,
    first="2023-08-07", last="2026-11-18", files=2_400, bytes=3 * 2**20, rows=7_200, left_over=0,
)  # fmt: skip


def test_a_drop_says_what_went_and_what_stays():
    assert dropped_text(DROPPED) == (
        "pumps: dropped 1,200 intervals, 2023-08-07 to 2026-11-18: 7,200 rows. Their 2,400 files, "
        "3.0 MiB stay for readers of older versions until tidemill clean"
    )
    one = replace(DROPPED, intervals=1, last="2023-08-07", dry_run=True)
    assert dropped_text(one).startswith("pumps: would drop 1 interval, 2023-08-07: ")


def test_a_drop_of_nothing_says_so():
    none = replace(DROPPED, intervals=0)
    assert dropped_text(none) == "pumps: no interval ends by 2026-11-19T00:00:00+01:00"
    left = dropped_text(replace(none, left_over=3))
    assert left.endswith("; removed the records of 3 that an earlier drop left")


def test_what_was_removed_is_said_by_kind_the_largest_first():
    done = Cleaned("pumps", "2026-10-30T23:00:00+00:00", dry_run=False)
    assert cleaned_text(done) == (
        "pumps: nothing to remove that nobody has needed since 2026-10-30 23:00 UTC"
    )
    done.removed = {"run records": Removed(1, 10), "part files": Removed(12, 2**20)}
    done.checkpoint, done.left = True, ["interval x is\nbusy"]
    assert cleaned_text(done).splitlines() == [
        "pumps: removed 13 files, 1.0 MiB that nobody has needed since 2026-10-30 23:00 UTC",
        "  part files               12 files, 1.0 MiB",
        "  run records              1 file, 10 B",
        "  wrote a checkpoint of the table's log",
        "  left alone: interval x is busy",
    ]
    assert "would remove 13 files" in cleaned_text(replace(done, dry_run=True))


def test_a_page_says_what_was_done_for_a_table():
    done = Cleaned("pumps", "2026-10-30T23:00:00+00:00", dry_run=False)
    assert kept_page(KeptTable("pumps", cleaned=done)) == "# pumps\n\n- nothing to remove"
    done.removed = {"part files": Removed(12, 2**20)}
    page = kept_page(KeptTable("a|b", DROPPED, done, warnings=("wait",), error="X: no"))
    assert page.splitlines()[:3] == ["# a\\|b", "", "**X: no**"]
    assert "- wait" in page
    assert "- pumps: dropped 1,200 intervals" in page
    assert page.splitlines()[-1] == "| part files | 12 | 1.0 MiB |"
