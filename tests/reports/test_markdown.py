"""Reports in Markdown: everything that went wrong is in them, and no data can break a table."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import pytest

from tidemill.execution.checks import Compared, ResultCounts, find, measure
from tidemill.execution.coverage import CoverageDrop
from tidemill.model.verdict import SAID
from tidemill.planning.check_limits import parse_checks
from tidemill.reports.markdown import (
    DETAILED,
    IDS,
    LINES,
    backfill_page,
    extraction_page,
    failure_page,
    href,
    interval_page,
)

NAME = "20261120T000000Z"
LABEL = "2026-11-20"
VERDICT = "Completed: 4 rows of 5 columns"
NONE = {"count": 0, "names": [], "commands": []}
NOTHING = {"count": 0, "ids": []}


def finding(name: str = NAME, state: str = "missing", reason: str = "it was not published yet"):
    return {"interval": name, "label": f"label of {name}", "state": state, "reason": reason}


def accepted(**more: Any) -> dict[str, Any]:
    return {
        "replaced": "",
        "facts": {"rows": 4, "columns": 5, "nan_cells": 1},
        "measures": {},
        "checks": [],
        "features": {"before": None, "moved": None, "most_nan": [], "all_nan": 0},
        "changes": dict.fromkeys(("added", "removed", "altered"), NOTHING),
        **more,
    }


def summary(name: str | None = NAME, **more: Any) -> dict[str, Any]:
    return {
        "interval": name,
        "interval_label": LABEL if name == NAME else name,
        "sink": "/data/out",
        "rows": 4,
        "columns": 5,
        "parts": {"total": 1, "calculated": 1, "reused": 0, "quarantined": 0},
        "cluster": "threads:2",
        "task_runs": 3,
        "seconds": {"plan": 0.5, "calculate": 75.0},
        "seconds_by_calculator": {},
        "quarantined": [],
        "errors": [],
        "digest": "0123456789abcdef0123",
        "note": "",
        "time_zone_of_input": "UTC",
        "reason": "",
        "acceptance": accepted(),
        "verdict": VERDICT,
        "warnings": [],
        **more,
    }


def report_of(*summaries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "interval": NAME,
        "label": LABEL,
        "sink": "/data/table",
        "findings": [finding()],
        "summaries": summaries,
        "holes": NONE,
        "outdated": NONE,
        "verdict": VERDICT,
        "warnings": [],
        **more,
    }


def interval_lines(*summaries: dict[str, Any], **more: Any) -> list[str]:
    return interval_page(report_of(*summaries, **more)).splitlines()


def section(lines: list[str], title: str) -> list[str]:
    """The lines below a title, up to the next one."""
    rest = lines[lines.index(title) + 1 :]
    end = next((i for i, line in enumerate(rest) if line.startswith("#")), len(rest))
    return [line for line in rest[:end] if line]


def of_acceptance(**more: Any) -> list[str]:
    return interval_lines(summary(acceptance=accepted(**more)))


# The report of a recurring run


def test_a_new_interval_has_its_rows_and_no_empty_sections():
    lines = interval_lines(summary())
    assert lines[0] == f"# {VERDICT}"
    assert lines[2] == f"Table: [`/data/table`](file:///data/table), interval {LABEL}"
    (row,) = section(lines, "## What was calculated, and why")[2:]
    assert row == f"| label of {NAME} | missing | it was not published yet | 4 | 0 | 0 | 0 |"
    assert section(lines, "## Rows") == [
        "- 4 rows of 5 columns, 5% NaN",
        "- 1 part: 1 calculated, 0 reused",
        "- times of the input: UTC",
    ]
    titles = [line for line in lines if line.startswith("##")]
    assert titles == [
        "## What was calculated, and why", "## Rows", "## Features that moved most",
    ]  # fmt: skip


def test_an_interval_without_known_changes_shows_question_marks():
    lines = interval_lines(summary(acceptance=accepted(changes={})))
    assert lines[8].endswith("| 4 | ? | ? | ? |")


def test_the_verdict_comes_first_in_one_line():
    verdict = "Failed: DataError: a\n\n<script>|" + "x" * 3_000
    for page in (interval_page, failure_page):
        lines = page(report_of(verdict=verdict, command="tidemill 'a b'")).splitlines()
        assert lines[0].startswith("# Failed: DataError: a &lt;script>\\|xxx")
        assert lines[0].endswith("x...")
        assert len(lines[0]) < 2_100
        assert lines[4:9] == ["Run it again by hand with:", "", "```bash", "tidemill 'a b'", "```"]


def test_warnings_that_the_verdict_has_no_room_for_are_listed():
    assert "- a|b" not in interval_lines(warnings=["a|b"] * SAID)
    listed = interval_lines(warnings=[*["a|b"] * SAID, "<c>"])
    assert listed[4:8] == ["- a\\|b"] * SAID + ["- &lt;c>"]


def test_the_order_is_what_a_person_on_call_asks_first():
    features = {"before": None, "moved": None, "most_nan": [{"feature": "a", "nan": 0.5}]}
    measured = {"rows_drop": {"figure": None, "is_share": True, "limits": {}}}
    told = summary(
        acceptance=accepted(features={**features, "all_nan": 0}, measures=measured),
        quarantined=[{"id": 1, "kind": "x", "reason": "NaN"}],
        errors=[{"calculator": "c", "kind": "x", "count": 1, "message": "m"}],
        seconds_by_calculator={"mean": 1.0},
    )
    bad = [{"path": "a.csv", "reason": "cut short"}]
    lines = interval_lines(told, bad_files=bad, holes={"count": 1, "names": "a", "commands": ["b"]})
    assert [line for line in lines if line.startswith("#")] == [
        f"# {VERDICT}",
        "## What was calculated, and why",
        "## Rows",
        "## Checks",
        "## Files that were left out",
        "## Quarantined",
        "## Errors",
        "## Holes",
        "## Features that moved most",
        "## Features with the most NaN, but not all",
        "## Slowest calculators",
    ]


@pytest.mark.parametrize(
    ("key", "title", "sentence"),
    [
        ("holes", "## Holes", "Older intervals that were never published: 1,200 (a, b, ...)."),
        ("outdated", "## Other settings", "Older intervals made with other settings: 1,200 (a,"),
    ],
)
def test_intervals_that_need_a_backfill_come_with_its_commands(key, title, sentence):
    missing = {"count": 1_200, "names": ["a", "b"], "commands": ["tidemill x", "tidemill y"]}
    found = section(interval_lines(**{key: missing}), title)
    assert found[0].startswith(sentence)
    assert found[2:] == ["```bash", "tidemill x", "tidemill y", "```"]


def test_older_input_comes_with_the_command_that_calculates_it():
    older = {"files": 2, "first": "a", "before": "b", "commands": ["tidemill backfill x"]}
    found = section(interval_lines(older=older), "## Older input")
    assert found[0] == "2 input files hold rows before b, from a on, that are in no interval."
    assert found[-3:] == ["```bash", "tidemill backfill x", "```"]


def test_a_list_of_all_missing_names_has_no_dots():
    missing = {"count": 2, "names": ["a", "b"], "commands": ["tidemill x"]}
    assert "never published: 2 (a, b)." in section(interval_lines(holes=missing), "## Holes")[0]


def test_long_lists_leave_out_unchanged_intervals_but_never_the_last():
    findings = [finding(f"day {i}", "unchanged") for i in range(LINES + 5)]
    findings[3]["state"] = "changed"
    found = section(interval_lines(findings=findings), "## What was calculated, and why")
    assert [line.split(" | ")[0] for line in found[2:-1]] == [
        "| label of day 3", f"| label of day {LINES + 4}",
    ]  # fmt: skip
    assert found[-1] == f"{LINES + 3} more are unchanged."


def test_the_last_intervals_are_shown_in_full():
    summaries = [summary(f"day {i}") for i in range(DETAILED + 2)]
    lines = interval_lines(*summaries)
    shown = [line for line in lines if line.startswith("## Rows")]
    assert shown == [f"## Rows of day {i}" for i in range(DETAILED + 1, 1, -1)]
    assert (
        lines[lines.index(shown[-1]) + 6]
        == "2 earlier ones were calculated too; see `tidemill inspect`."
    )


def test_replaced_rows_name_the_run_the_reason_and_the_ids():
    changes = {
        "added": {"count": IDS + 2, "ids": [f"id {i}" for i in range(IDS + 2)]},
        "removed": NOTHING,
        "altered": {"count": 1, "ids": ["a|<b>"]},
    }
    replaced = accepted(replaced="run-1", changes=changes)
    lines = interval_lines(summary(acceptance=replaced, reason="rows of its window changed"))
    found = section(lines, "## Rows")
    assert "- they replace those of run `run-1`: rows of its window changed" in found
    names = ", ".join(f"id {i}" for i in range(IDS))
    assert f"- ids added: {IDS + 2} ({names}, ...)" in found
    assert "- ids altered: 1 (a\\|&lt;b>)" in found
    assert not any("removed" in line for line in found)


def test_replaced_rows_without_a_reason_were_requested():
    lines = of_acceptance(replaced="run-1")
    assert "- they replace those of run `run-1`: as requested" in lines


def test_checks_show_figure_limits_and_result():
    def measured(figure, is_share, **limits):
        return {"figure": figure, "is_share": is_share, "limits": limits}

    lines = of_acceptance(
        measures={
            "quarantined_series": measured(1_500, is_share=False, warn=0),
            "rows_drop": measured(0.123456, is_share=True, warn=0.1, fail=0.5),
            "nan_rise": measured(None, is_share=True, warn=0.1, fail=0.5),
        },
        checks=[{"check": "quarantined_series", "level": "warn"}],
    )
    assert section(lines, "## Checks")[2:] == [
        "| quarantined_series | 1,500 | 0 | off | warn |",
        "| rows_drop | 12.3% | 10% | 50% | ok |",
        "| nan_rise | nothing to compare with | 10% | 50% | - |",
    ]


def test_each_check_of_an_interval_is_shown_in_its_unit():
    now = ResultCounts(4, 5, quarantined=2, input_rows=500, files=3, bad_files=1)
    before = ResultCounts(4, 5, input_rows=1_000)
    result = Compared(now, before, CoverageDrop(Fraction(1, 8), "2026-11-19"), ("a.csv",))
    limits = parse_checks()
    checks = [asdict(one) for one in find(limits, result)]
    lines = of_acceptance(measures=measure(limits, result), checks=checks)
    assert section(lines, "## Checks")[2:] == [
        "| quarantined_series | 2 | 0 | off | warn |",
        "| failed_cells | 0% | 0% | 10% | ok |",
        "| rows_drop | 0% | 10% | 50% | ok |",
        "| input_rows_drop | 50% | 10% | off | warn |",
        "| coverage_drop | 12.5% | 10% | off | warn |",
        "| bad_files | 25% | 0% | 50% | warn |",
        "| nan_rise | 0% | 5% | 25% | ok |",
    ]


def test_columns_that_are_new_or_gone_are_named():
    features = {"before": "2026-11-19", "moved": [], "most_nan": [], "all_nan": 0}
    columns = {"new": ["humidity", "a|b"], "vanished": ["x"]}
    lines = of_acceptance(features=features, columns=columns)
    assert "- columns that are new since 2026-11-19: humidity, a\\|b" in lines
    assert "- columns that are gone since 2026-11-19: x" in lines
    same = of_acceptance(features=features, columns={"new": [], "vanished": []})
    assert not any("columns that are" in line for line in same)


MOVED = {
    "feature": "x__mean", "move": 0.5, "mean_before": 1.0, "spread_before": None,
    "mean": 1234.567, "nan_before": 0.0, "nan": 1e-5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "moved", "shown"),
    [
        (None, None, "This is the first interval: there is nothing to compare with."),
        ("day 1", None, "No figures were kept for the interval before it, day 1."),
        ("day 1", [], "None has moved since day 1."),
        ("day 1", [MOVED], "| `x__mean` | 0.5 | 1 | - | 1,235 | 0% | 0.001% |"),
    ],
)
def test_features_that_moved(before, moved, shown):
    features = {"before": before, "moved": moved, "most_nan": [], "all_nan": 0}
    lines = of_acceptance(features=features)
    assert section(lines, "## Features that moved most")[-1] == shown


def test_features_with_nan_are_named():
    most = [{"feature": "x__a", "nan": 0.25}]
    features = {"before": None, "moved": None, "most_nan": most, "all_nan": 1_200}
    lines = of_acceptance(features=features)
    assert "- 1,200 columns are NaN in every row" in lines
    title = "## Features with the most NaN, but not all"
    assert section(lines, title)[-1] == "| `x__a` | 25% |"


# Links to the HTML reports


@pytest.mark.parametrize("page", [interval_page, backfill_page, extraction_page, failure_page])
def test_the_html_reports_are_linked(page):
    links = [
        {"label": "2026-11-20", "address": "https://reports.example.org/a b.html"},
        {"label": "", "address": "/data/t/_tidemill/reports/b.html"},
    ]
    about = {**summary(None), "dry_run": False, "intervals": []}
    lines = page({**about, **report_of(), "reports": links}).splitlines()
    first = lines.index(
        "- report of 2026-11-20: [`https://reports.example.org/a b.html`]"
        "(https://reports.example.org/a%20b.html)"
    )
    path = "/data/t/_tidemill/reports/b.html"
    assert lines[first + 1] == f"- report: [`{path}`](file://{path})"
    assert lines[first - 1] == ""
    many = page({**about, **report_of(), "reports": links * LINES})
    assert f"- ... ({2 * LINES} in all)" in many


# Errors, quarantine and times, in both reports


def test_errors_and_quarantined_series_are_cut_with_their_number():
    error = {"calculator": "picky", "kind": "x", "count": 1_500, "message": "ValueError: a|b"}
    about = {"kind": "y", "reason": "NaN", "since": "2026-11-20T06:00:00+00:00"}
    quarantined = [{"id": i, **about} for i in range(LINES + 1)]
    trouble = {"errors": [error], "quarantined": quarantined}
    trouble |= {"seconds_by_calculator": {"mean": 0.5, "quantile": 75.0}}
    pages = [
        interval_lines(summary(**trouble)),
        extraction_page(summary(None, **trouble)).splitlines(),
    ]
    for lines in pages:
        assert section(lines, "## Errors")[2:] == ["| `picky` | x | 1,500 | ValueError: a\\|b |"]
        rows = section(lines, "## Quarantined")[2:]
        assert rows[:LINES] == [f"| {i} | y | NaN | 2026-11-20 |" for i in range(LINES)]
        assert rows[LINES:] == [f"... ({LINES + 1} in all)"]
        slowest = section(lines, "## Slowest calculators")[2:]
        assert slowest == ["| `quantile` | 1 min 15 s |", "| `mean` | 0.50 s |"]


def test_the_report_of_a_matrix():
    parts = {"total": 4, "calculated": 3, "reused": 1, "quarantined": 2_000}
    ages = {"2026-11-20": 1_500, "new": 5}
    told = summary(None, parts=parts, note="replaced <another>", quarantined_since=ages)
    lines = extraction_page(told).splitlines()
    assert lines[:10] == [
        f"# {VERDICT}",
        "",
        "Output: [`/data/out`](file:///data/out)",
        "",
        "- 4 rows of 5 columns",
        "- 4 parts: 3 calculated, 1 reused; 2,000 ids quarantined (1,500 since 2026-11-20, 5 new)",
        "- cluster `threads:2`, 3 task runs",
        "- replaced &lt;another>",
        "- content digest `0123456789abcdef`",
        "",
    ]
    assert section(lines, "## Steps")[2:] == ["| plan | 0.50 s |", "| calculate | 1 min 15 s |"]
    assert "## Errors" not in lines


# Backfills


def test_a_backfill_counts_results_and_keeps_gaps():
    rows = [
        {"label": "day 1", "state": "missing", "result": "published", "rows": 1_234},
        {"label": "day 2", "state": "missing", "result": "failed", "reason": "no | rows"},
        {"label": "day 3", "state": "missing", "result": "published", "rows": 1},
    ]
    about = {"sink": "s3://bucket/t", "dry_run": False, "verdict": "Failed: 1 of 3"}
    lines = backfill_page({**about, "intervals": rows}).splitlines()
    assert lines[0] == "# Failed: 1 of 3"
    assert lines[8:] == [
        "| day 1 | missing | published | 1,234 |  |",
        "| day 2 | missing | failed |  | no \\| rows |",
        "| day 3 | missing | published | 1 |  |",
    ]


def test_a_dry_run_of_nothing():
    about = {"sink": "t", "dry_run": True, "verdict": "Completed: nothing"}
    page = backfill_page({**about, "intervals": []})
    assert page.splitlines()[0] == "# Completed: nothing"
    assert page.splitlines()[-1].endswith("; a dry run: this is what would be done")


@pytest.mark.parametrize(
    ("sink", "address"),
    [
        ("/data/a [b](c)", "file:///data/a%20%5Bb%5D%28c%29"),
        ("s3://bucket/a?x=1&y=(2)", "s3://bucket/a?x=1&y=%282%29"),
        ("relative/table", "relative/table"),
    ],
)
def test_addresses_cannot_end_their_link(sink, address):
    assert href(sink) == address
