"""Gauges for Prometheus: each with its meaning, one line for each table, nothing made up."""

from __future__ import annotations

import re

from tidemill.recurring.table_status import GoodRows, Holes, RunNote, TableStatus
from tidemill.reports.metrics import metrics_text

GOOD = GoodRows(
    "20261120T000000Z", "2026-11-20", "2026-11-21T00:00:00+01:00", "2026-11-21T01:00:00+00:00",
    "run", 1_234_567_890, None, 3, "digest",
)  # fmt: skip
NOTE = RunNote("", "", "run", "finished", "2026-11-21", ("one", "two"))
LABEL = r'\{table="(?:[^"\\\n]|\\.)*"\}'
LINE = re.compile(rf"# (?:HELP|TYPE) tidemill_\w+ .+|tidemill_\w+{LABEL} \S+")


def gauges(*tables: TableStatus) -> dict[str, str]:
    text = metrics_text(tables)
    assert text.endswith("\n")
    assert all(LINE.fullmatch(line) for line in text.splitlines()), text
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_values_are_exact_and_what_is_not_known_is_left_out():
    table = TableStatus(
        "/data/t", "intervals", good=GOOD, behind=2, holes=Holes(4), failed=(NOTE,), warned=(NOTE,),
        seconds=1.5,
    )  # fmt: skip
    found = {name[len("tidemill_") :]: value for name, value in gauges(table).items()}
    assert found == {
        'readable{table="/data/t"}': "1",
        'last_good_end_timestamp_seconds{table="/data/t"}': "1795215600",
        'last_good_published_timestamp_seconds{table="/data/t"}': "1795222800",
        'ids{table="/data/t"}': "1234567890",
        'quarantined_ids{table="/data/t"}': "3",
        'behind_intervals{table="/data/t"}': "2",
        'hole_intervals{table="/data/t"}': "4",
        'failed_intervals{table="/data/t"}': "1",
        'warnings{table="/data/t"}': "2",
        'running_runs{table="/data/t"}': "0",
        'last_run_seconds{table="/data/t"}': "1.5",
    }


def test_paths_cannot_end_their_label_and_every_table_has_a_line():
    hostile = 'a"b\\c\nd'
    found = gauges(TableStatus(hostile, "nothing"), TableStatus("t", "nothing"))
    assert found['tidemill_readable{table="a\\"b\\\\c\\nd"}'] == "0"
    assert found['tidemill_readable{table="t"}'] == "0"
    text = metrics_text([TableStatus("a", "nothing"), TableStatus("b", "nothing")])
    assert text.count("# TYPE tidemill_readable gauge") == 1
