"""Text for the terminal: durations and sizes, summaries, the history of a sink, costs, progress."""

from __future__ import annotations

import pytest

from tidemill.frames.feature_costs import Cost
from tidemill.model.series import Quarantined
from tidemill.reports.text import (
    bytes_text,
    costs_text,
    history_text,
    seconds_text,
    slowest_calculators,
    summary_text,
)
from tidemill.storage.record import RunRecord

SUMMARY = {
    "verdict": "Completed: all",
    "sink": "/data/matrix",
    "rows": 12_345,
    "columns": 1_566,
    "parts": {"total": 4, "calculated": 3, "reused": 1},
    "seconds": {"plan": 0.5, "calculate": 75.0},
    "seconds_by_calculator": {},
    "cluster": "threads:2",
    "task_runs": 7,
    "digest": "0123456789abcdef0123",
    "quarantined": [],
    "errors": [],
    "note": "",
}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.00 ms"),
        (0.0004, "0.40 ms"),
        (0.00241, "2.41 ms"),
        (0.00994, "9.94 ms"),
        (0.00996, "10 ms"),
        (0.0996, "100 ms"),
        (0.1, "0.10 s"),
        (9.99, "9.99 s"),
        (10, "10.0 s"),
        (60, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_seconds_of_all_magnitudes(seconds, shown):
    assert seconds_text(seconds) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (2**30, "1.0 GiB"), (2**50, "1024.0 TiB")],
)
def test_bytes_of_all_magnitudes(size, shown):
    assert bytes_text(size) == shown


def test_the_slowest_are_few_and_in_order():
    seconds = {f"calculator_{i}": float(i) for i in range(9)}
    assert [name for name, _ in slowest_calculators(seconds)] == [
        f"calculator_{i}" for i in (8, 7, 6, 5, 4)
    ]
    assert slowest_calculators({}) == []


def test_a_summary_without_trouble_names_none():
    found = summary_text(SUMMARY).splitlines()
    assert found == [
        "Verdict         Completed: all",
        "Feature matrix  /data/matrix",
        "Size            12,345 rows x 1,566 columns",
        "Parts           4 total, 3 calculated, 1 reused",
        "Steps           plan 0.50 s, calculate 1 min 15 s",
        "Cluster         threads:2, 7 Prefect task runs",
        "Digest          0123456789abcdef",
    ]


def test_a_summary_names_trouble_and_where_the_time_went():
    error = {"kind": "x", "calculator": "picky", "message": "ValueError: one"}
    summary = {
        **SUMMARY,
        "seconds_by_calculator": {"mean": 0.5, "quantile": 2.0},
        "quarantined": [{"id": i, "kind": "x", "reason": "nan"} for i in range(12)],
        "errors": [{**error, "count": count} for count in (9, 5, 4, 2)],
        "note": "replaced another matrix",
        "seconds_in_all": 80.0,
    }
    found = {line[:15].strip(): line[16:] for line in summary_text(summary).splitlines()}
    assert list(found)[4:7] == ["Steps", "Slowest", "Cluster"]
    assert found["Slowest"] == "quantile 2.00 s, mean 0.50 s"
    assert found["Quarantined"].startswith("0 (nan), 1 (nan), ")
    assert found["Quarantined"].endswith("9 (nan), ... (12 in all)")
    assert found["Errors"].startswith("9 x x__picky: ValueError: one, 5 x x__picky")
    assert found["Errors"].endswith("4 x x__picky: ValueError: one, ... (4 in all)")
    assert found["Note"] == "replaced another matrix"
    assert found["Seconds in all"] == "1 min 20 s"


def record(run_id: str, **more) -> RunRecord:
    return RunRecord(run_id, f"2026-11-2{run_id}T01:02:03.456+00:00", **more)


def test_a_history_shows_the_newest_in_full_and_all_in_lines():
    newest = record(
        "1",
        state="finished",
        interval="20261120T000000Z",
        interval_label="2026-11-20",
        rows=1_234,
        columns=10,
        parts={"total": 2, "calculated": 2},
        seconds={"plan": 0.25},
        seconds_by_calculator={f"calculator_{i}": float(i) for i in range(1, 8)},
        settings={"mean": [{}], "median": [{}]},
        quarantined=tuple(Quarantined(str(i), "x", "nan") for i in range(5)),
        quarantined_since={"2026-11-19": 4, "new": 1},
        digest="abcdef0123456789ffff",
    )
    shown = history_text("/data/table", [newest, record("0", state="failed")])
    title, _, *lines = shown.splitlines()
    assert title == "/data/table: 2 runs shown, newest first"
    full = {line.split(" ", 1)[0]: line[20:].split(" ", 1)[-1] for line in lines[: lines.index("")]}
    assert set(full) == set(newest.to_json())
    assert full["settings"] == "2 entries", "long values are counted only"
    assert full["seconds"] == "plan 0.250"
    assert full["seconds_by_calculator"].startswith("calculator_7 7.00 s, calculator_6")
    assert "calculator_2" not in full["seconds_by_calculator"]
    assert full["quarantined"].endswith("2 (nan), ... (5 in all)")
    assert full["quarantined_since"] == "4 since 2026-11-19, 1 new"
    assert full["errors"] == "none"
    assert full["acceptance"] == "none"
    titles, first, second = lines[lines.index("") + 1 :]
    assert titles.split() == ["started", "interval", "state", "rows", "columns", "parts", "digest"]
    assert first.split() == [
        "2026-11-21T01:02:03", "2026-11-20", "finished", "1,234", "10", "2", "total,", "2",
        "calculated", "abcdef0123456789",
    ]  # fmt: skip
    assert second.split() == ["2026-11-20T01:02:03", "-", "failed", "0", "0"]


def test_a_history_says_what_was_replaced_and_which_checks_were_not_passed():
    accepted = {
        "replaced": "run-1",
        "changes": {
            "added": {"count": 0, "ids": []},
            "altered": {"count": 1_200, "ids": list(range(12))},
        },
        "checks": [{"level": "warn", "sentence": "rows fell by 20%"}],
    }
    shown = history_text("t", [record("1", acceptance=accepted)])
    (line,) = (line for line in shown.splitlines() if line.startswith("acceptance"))
    assert line.endswith(
        " replaces run-1; 1,200 altered: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... (12 in all); "
        "warn: rows fell by 20%"
    )


def cost(name: str, seconds: float, share: float, used_by: str = "") -> Cost:
    return Cost(name, seconds, 1e3 * seconds, share, None, seconds, used_by)


def test_costs_name_the_users_of_shared_work():
    rows = [
        cost("quantile", 90.0, 0.75),
        cost("need:sorted", 30.0, 0.25, "a, b, c, d, e"),
    ]
    lines = costs_text(rows, "measured on 3 ids").splitlines()
    assert lines[0] == "measured on 3 ids"
    assert lines[3].split() == ["quantile", "90000.00", "75.00%"]
    assert lines[4].split() == ["need:sorted", "30000.00", "25.00%"]
    assert lines[6].startswith("Shared work is saved only once every calculator")
    assert lines[7] == "need:sorted          a, b, c, d, ... (5 in all)"
    assert lines[-1] == "One thread takes about 2 min 0 s for all of the data."


def test_costs_without_shared_work_say_nothing_of_it():
    assert "Shared work" not in costs_text([cost("maximum", 1.0, 1.0)], "measured")
