"""A table that no longer shows what its records say: its intervals are due again, and named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake

import tidemill
from tidemill.cli.main import cli
from tidemill.errors import SinkError
from tidemill.storage.delta import INTERVAL, files_by_interval
from tidemill.storage.intervals import PartFile, write_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.table_faults import COMPARED, look_at_table, read_with_faults

from ..support.daily import DAYS, NAMES, known, look, run, source, table

__all__ = ["source", "table"]

GONE = "its rows are gone from the table"
OTHERS = "the table shows other files than its record names"


@pytest.fixture
def published(source, table):
    """Two published days, and the matrix."""
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    return tidemill.read_matrix(table)


def delete_rows(table):
    DeltaTable(table).delete(f"\"{INTERVAL}\" = '{NAMES[1]}'")


def restore(table):
    DeltaTable(table).restore(0)


def lose_the_last_entry(table):
    max((table / "_delta_log").glob("*.json")).unlink()


def delete_one_row(table):
    DeltaTable(table).delete(f"\"{INTERVAL}\" = '{NAMES[1]}' AND id = 3")


def overwrite(table):
    rows = DeltaTable(table).to_pyarrow_table(filters=[(INTERVAL, "=", NAMES[1])])
    write_deltalake(table, rows, mode="overwrite", predicate=f"\"{INTERVAL}\" = '{NAMES[1]}'")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (delete_rows, GONE),
        (restore, GONE),
        (lose_the_last_entry, GONE),
        (delete_one_row, OTHERS),
        (overwrite, OTHERS),
    ],
)
def test_an_interval_that_the_table_does_not_show_is_due_again(
    attack, reason, published, source, table
):
    attack(table)
    shown = CliRunner().invoke(cli, ["inspect", str(table)])
    assert f"Interval {DAYS[1]}: {reason}" in shown.output
    found = look(source, table, DAYS[1])
    assert (found.state, found.reason) == ("changed", reason)
    assert look(source, table, DAYS[0]).state == "unchanged"
    run(source, table, DAYS[1])
    assert look(source, table, DAYS[1]).state == "unchanged"
    assert tidemill.read_matrix(table).equals(published)
    assert not look_at_table(SinkLayout.of(table), COMPARED).faults


def test_a_record_that_a_late_owner_wrote_is_recognised(published, source, table):
    layout = SinkLayout.of(table)
    late = known(table)[NAMES[1]]
    run(source, table, DAYS[1], recalculates=late.run_id)
    write_interval(layout, late)
    assert look(source, table, DAYS[1]).reason == OTHERS


def test_records_of_older_versions_are_compared_by_the_names_of_files(published, table):
    layout = SinkLayout.of(table)
    record = replace(known(table)[NAMES[1]], parts=())
    shown = files_by_interval(layout)
    assert record.fault(layout, shown[NAMES[1]]) == ""
    assert record.fault(layout, shown[NAMES[0]]) == OTHERS


def test_a_difference_counts_only_if_it_lasts_while_another_run_publishes(published, table):
    layout = SinkLayout.of(table)
    path = table / "_tidemill" / "intervals" / f"{NAMES[1]}.json"
    right = path.read_bytes()
    other = PartFile("part-of-another-run.parquet", 1, 1, "")
    write_interval(layout, replace(known(table)[NAMES[1]], parts=(other,)))
    with acquire(layout.lease, owner="another run", run_id="r"):
        assert read_with_faults(layout, NAMES)[1] == {NAMES[1]: OTHERS}
    path.write_bytes(right)
    assert read_with_faults(layout, NAMES)[1] == {}


@pytest.mark.parametrize("damage", ["cut", "garbage", "gap"])
def test_a_damaged_log_is_one_sentence_with_the_remedy(damage, published, source, table):
    first, last = sorted((table / "_delta_log").glob("*.json"))
    content = last.read_bytes()
    if damage == "gap":
        run(source, table, DAYS[2])
        last.unlink()
    else:
        last.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\xc7\x00\xff" * 99)
    with pytest.raises(SinkError, match=r"the log of the table .* Restore _delta_log") as raised:
        look(source, table, DAYS[1])
    assert "\n" not in str(raised.value)
    assert first.exists()
    if damage != "gap":
        last.unlink()  # as the sentence says
        run(source, table, DAYS[1])
        assert tidemill.read_matrix(table).equals(published)
