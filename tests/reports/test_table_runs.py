"""Reports of runs over tables on the terminal: readable, and with all that went wrong."""

from __future__ import annotations

from typing import Any

from tidemill.reports.table_runs import FILES, REPORTS, backfill_text, interval_text

NONE = {"count": 0, "names": [], "commands": []}


def row(label: str, state: str = "missing", **more: Any) -> dict[str, Any]:
    return {"interval": label.upper(), "label": label, "state": state, "reason": "why", **more}


def summary(label: str, **more: Any) -> dict[str, Any]:
    about = {"interval": label.upper(), "interval_label": label, "rows": 1_234, "columns": 10}
    return {**about, "warnings": [], "quarantined": [], "note": "", **more}


def lines_of(*findings: dict[str, Any], made: Any = (), **more: Any) -> list[str]:
    report = {"verdict": "Completed: all", "sink": "/data/t", "findings": findings}
    report |= {"summaries": list(made), "holes": NONE, "outdated": NONE, **more}
    return interval_text(report).splitlines()


def test_the_verdict_comes_first_and_intervals_are_lines():
    lines = lines_of(row("a", "changed"), row("b"), made=[summary("a"), summary("b")])
    assert lines == [
        "Completed: all",
        "",
        "Table           /data/t",
        "",
        "interval  state     rows  columns  why",
        "a         changed  1,234       10  why",
        "b         missing  1,234       10  why",
    ]


def test_unchanged_intervals_before_the_last_are_counted():
    lines = lines_of(*(row(f"d{i}", "unchanged") for i in range(30)))
    assert [line.split()[0] for line in lines[5:]] == ["d29", "29"]
    assert lines[-1] == "29 earlier intervals are unchanged"


def test_warnings_quarantined_ids_and_notes_name_their_interval():
    left_out = [{"id": "7", "kind": None, "reason": "hung"}]
    made = summary("a", warnings=["1 bad"], quarantined=left_out, note="as \x1b[2J asked")
    assert lines_of(row("a"), made=[made])[-3:] == [
        "a: warning: 1 bad", "a: quarantined: 7 (hung)", "a: as \\x1b[2J asked",
    ]  # fmt: skip


def test_bad_files_and_intervals_to_fill_are_named():
    bad = [{"path": f"{i}.csv", "reason": "cut short"} for i in range(FILES + 2)]
    holes = {"count": 12, "names": ["x", "y"], "commands": ["tidemill backfill"]}
    text = "\n".join(lines_of(row("a"), bad_files=bad, holes=holes))
    assert f"{FILES + 2} files were left out:\n  0.csv: cut short" in text
    assert "  ... and 2 more" in text
    assert "never published: 12 (x, y, ...). Calculate them with:\n  tidemill backfill" in text


def test_older_input_is_named_with_the_command_that_calculates_it():
    older = {"files": 1, "first": "a", "before": "b", "commands": ["tidemill backfill"]}
    said = "1 input file holds rows before b, from a on, that are in no interval"
    expected = ["", f"{said}. Calculate them with:", "  tidemill backfill"]
    assert lines_of(row("b"), older=older)[-3:] == expected


def test_a_backfill_is_a_table_and_a_dry_run_says_so():
    rows = [row("a", result="published", rows=5), row("b", result="failed")]
    report = {"verdict": "Failed: 1 of 2", "sink": "t", "dry_run": False, "intervals": rows}
    lines = backfill_text(report).splitlines()
    assert lines[0] == "Failed: 1 of 2"
    assert lines[4:] == [
        "interval  state    result     rows  why",
        "a         missing  published     5  why",
        "b         missing  failed        -  why",
    ]
    dry = backfill_text({**report, "dry_run": True, "intervals": []})
    assert dry == "Dry run. Failed: 1 of 2\n\nTable           t"


def test_reports_are_named_at_the_end():
    links = [{"label": f"d{i}", "address": f"/r/{i}.html"} for i in range(REPORTS + 2)]
    lines = lines_of(row("a"), reports=links)
    assert lines[-REPORTS - 2 :][:2] == ["", "Report d0                /r/0.html"]
    assert lines[-1] == "... and 2 more reports"
    report = {"verdict": "Completed", "sink": "t", "dry_run": False, "intervals": []}
    assert backfill_text({**report, "reports": links[:1]}).endswith("/r/0.html")
