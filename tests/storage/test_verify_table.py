"""What a sink shows is compared with its records: damage is named, with a remedy that works."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

import tidemill
from tidemill.cli.main import cli
from tidemill.errors import SinkError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.storage import verify_table as module
from tidemill.storage.delta import INTERVAL
from tidemill.storage.intervals import write_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.publish import read_pointer
from tidemill.storage.verify_table import DUE, EXTRACT, RECALCULATE, verify_table

from ..support.daily import DAYS, NAMES, known, look, run, source, table
from ..support.inputs import make_input

__all__ = ["source", "table"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)


def shown(table, name):
    return next(iter(known(table)[name].parts)).path


@pytest.fixture
def published(source, table):
    """Two published days, and the matrix."""
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    assert verify_table(SinkLayout.of(table), deep=True).faults == []
    return tidemill.read_matrix(table)


def of_a_day(act):
    return lambda table: act(table / shown(table, NAMES[1]))


def in_state(act, path):
    return lambda table: act(table / "_tidemill" / path)


def forge(table):
    """A record that names another digest, and is whole."""
    record = known(table)[NAMES[1]]
    write_interval(SinkLayout.of(table), replace(record, digest="0" * 64))


def delete_rows(table):
    DeltaTable(table).delete(f"\"{INTERVAL}\" = '{NAMES[1]}'")


#: What is done, what is said of it, its remedy, and whether only a deep look finds it.
DAMAGE = {
    "a file is missing": (of_a_day(Path.unlink), "is missing", RECALCULATE, False),
    "a file is cut short": (of_a_day(truncate), "were written", RECALCULATE, False),
    "a bit is flipped": (of_a_day(flip), "another SHA-256", RECALCULATE, True),
    "rows are deleted": (delete_rows, "its rows are gone from the table", DUE, False),
    "its record is cut short": (
        in_state(truncate, f"intervals/{NAMES[1]}.json"),
        "its record is damaged",
        DUE,
        False,
    ),
    "its record is missing": (
        in_state(Path.unlink, f"intervals/{NAMES[1]}.json"),
        "it has no record",
        DUE,
        False,
    ),
    "its record names other rows": (forge, "another digest", RECALCULATE, True),
    "its figures are damaged": (
        in_state(flip, f"figures/{NAMES[1]}.npz"),
        "its figures file is not the file that was written",
        RECALCULATE,
        True,
    ),
    "its coverage is missing": (
        in_state(Path.unlink, f"coverage/{NAMES[1]}.arrow"),
        "its coverage file is missing",
        RECALCULATE,
        True,
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_to_an_interval_is_named_and_the_remedy_works(what, published, source, table):
    act, said, remedy, needs_deep = DAMAGE[what]
    act(table)
    layout = SinkLayout.of(table)
    (fault,) = verify_table(layout, deep=True).faults
    assert fault.place == f"interval {DAYS[1]}"
    assert said in fault.fault
    assert fault.remedy == remedy
    assert bool(verify_table(layout).faults) == (not needs_deep)
    found = look(source, table, DAYS[1], recalculate=remedy == RECALCULATE)
    assert found.is_due
    replaced = known(table).get(NAMES[1])
    recalculates = replaced.run_id if replaced and remedy == RECALCULATE else ""
    run(source, table, DAYS[1], recalculates=recalculates)
    assert verify_table(layout, deep=True).faults == []
    assert tidemill.read_matrix(table).equals(published)


def test_a_record_and_a_pointer_that_are_damaged_are_named(published, table):
    for path in ("published.json", max((table / "_tidemill" / "records").iterdir())):
        truncate(table / "_tidemill" / path)
    found = verify_table(SinkLayout.of(table)).faults
    assert [one.place.partition("/")[0] for one in found] == ["published.json", "records"]
    assert found[1].remedy.startswith("delete it")


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet", "matrix.csv"])
@pytest.mark.parametrize("act", [truncate, flip, Path.unlink])
def test_damage_to_other_sinks_is_named_and_the_same_run_mends_it(act, name, tmp_path):
    series, sink = make_input(tmp_path, n_ids=6), tmp_path / name
    asked = make_request(sink=sink, **{"settings": "minimal", **series.arguments})
    extract_here(asked, threads=1)
    before, layout = tidemill.read_matrix(sink), SinkLayout.of(sink)
    found = verify_table(layout, deep=True)
    assert (found.rows, found.faults) == (6, [])
    act(max(sink.glob("*.parquet")) if name == "matrix" else sink)
    if name != "matrix" and act is Path.unlink:
        with pytest.raises(SinkError, match="nothing is published"):
            verify_table(layout)
    else:
        (fault,) = verify_table(layout, deep=True).faults
        assert fault.remedy == EXTRACT
        assert bool(verify_table(layout).faults) == (act is not flip)
    extract_here(asked, threads=1)
    assert verify_table(layout, deep=True).faults == []
    assert tidemill.read_matrix(sink).equals(before)


def test_the_command_prints_a_line_for_each_fault_and_ends_with_status_1(published, table):
    flip(table / shown(table, NAMES[1]))
    quick = CliRunner().invoke(cli, ["verify", str(table)])
    assert quick.exit_code == 0
    assert "2 intervals, 2 files, 10 rows" in quick.output
    assert quick.output.endswith("compared by sizes and numbers of rows: nothing is wrong\n")
    deep = CliRunner().invoke(cli, ["verify", str(table), "--deep"])
    fault, total = deep.output.splitlines()
    assert deep.exit_code == 1
    assert fault.startswith(f"interval {DAYS[1]}: part-")
    assert fault.endswith(f"(another SHA-256); {RECALCULATE}")
    assert total.endswith("compared by checksums and rows: 1 fault")
    told = CliRunner().invoke(cli, ["verify", str(table), "--deep", "--json"])
    values = json.loads(told.output)
    assert (told.exit_code, values["files"], len(values["faults"])) == (1, 2, 1)


def test_nothing_to_verify_is_an_error(tmp_path):
    for name in ("matrix", "matrix.csv"):
        with pytest.raises(SinkError, match="nothing is published"):
            verify_table(SinkLayout.of(tmp_path / name))


def test_files_of_a_store_without_a_pointer_are_named(tmp_path):
    sink = tmp_path / "matrix.csv"
    sink.write_text("id,x__mean\n1,2\n", "utf-8")
    assert read_pointer(SinkLayout.of(sink)) is None
    (fault,) = verify_table(SinkLayout.of(sink)).faults
    assert "nothing is recorded of it" in fault.fault


def test_files_of_all_intervals_are_compared_in_one_pool(published, table, monkeypatch):
    pools, pool = [], module.ThreadPoolExecutor
    monkeypatch.setattr(module, "ThreadPoolExecutor", lambda *how: pools.append(0) or pool(*how))
    found = verify_table(SinkLayout.of(table))
    assert (found.intervals, found.files, found.faults, len(pools)) == (2, 2, [], 1)
