import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.sources.sql.snapshot import drop_orphans, drop_snapshot, write_snapshot
from tidemill.storage.processes import Process
from tidemill.storage.stores import Store

SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.float64())])


def batches(count, rows):
    for start in range(0, count * rows, rows):
        ids = pa.array(range(start, start + rows), pa.int64())
        yield pa.record_batch([ids, ids.cast(pa.float64())], schema=SCHEMA)


def folders(folder):
    place = folder / "snapshots"
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def test_batches_are_brought_together_to_few_row_groups(tmp_path):
    made, name = write_snapshot(Store.open(tmp_path), SCHEMA, batches(300, 5000))
    parquet = pq.ParquetFile(made.local_path(name))
    assert parquet.metadata.num_row_groups == 2
    assert parquet.read().column("id").to_pylist() == list(range(1_500_000))


def test_a_result_without_rows_has_its_columns(tmp_path):
    made, name = write_snapshot(Store.open(tmp_path), SCHEMA, iter(()))
    assert pq.read_schema(made.local_path(name)).equals(SCHEMA)


def test_nothing_stays_of_a_snapshot_that_failed(tmp_path):
    def fails():
        yield from batches(1, 5)
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError, match="lost"):
        write_snapshot(Store.open(tmp_path / "sink").child("_tidemill"), SCHEMA, fails())
    assert list(tmp_path.iterdir()) == []


def test_orphans_are_dropped_and_snapshots_of_others_are_not(tmp_path):
    store, me = Store.open(tmp_path), Process.current()
    mine, _ = write_snapshot(store, SCHEMA, batches(1, 5))
    owners = {
        "dead": replace(me, started=0.0),
        "elsewhere": replace(me, host="other/boot/1"),
        "longago": replace(me, host="other/boot/1"),
        "parent": Process(me.host, os.getpid(), me.started),
    }
    for name, owner in owners.items():
        store.write(f"snapshots/{name}/owner.json", json.dumps(asdict(owner)).encode())
    os.utime(tmp_path / "snapshots/longago/owner.json", (1.7e9, 1.7e9))
    store.write("snapshots/damaged/owner.json", b"{")
    drop_orphans(store)
    own = mine.url.rpartition("/")[2]
    assert folders(tmp_path) == sorted([own, "elsewhere", "parent", "damaged"])
    drop_snapshot(mine)
    assert own not in folders(tmp_path)


def test_a_process_that_ends_takes_its_snapshots_with_it(tmp_path):
    program = (
        "import sys, pyarrow as pa; from tidemill.storage.stores import Store\n"
        "from tidemill.sources.sql.snapshot import write_snapshot\n"
        "rows = pa.record_batch({'id': [1]})\n"
        "made, name = write_snapshot(Store.open(sys.argv[1]), rows.schema, [rows])\n"
        "assert made.exists(name)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=True)
    assert list(tmp_path.iterdir()) == []
