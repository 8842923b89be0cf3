"""Nothing that lies in a table or comes as input is executed: planted code never runs."""

from __future__ import annotations

import io
import json
import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.execution.chunk import run_chunk
from tidemill.execution.job import Job
from tidemill.execution.plans import load_plan
from tidemill.execution.spill import run_spill_task, spill_tasks
from tidemill.planning.request import make_request
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.daily import DAYS, look, run, source, table
from ..support.series import extract, wide

__all__ = ["source", "table"]


class _Code:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def _pickle(canary: Path) -> bytes:
    return pickle.dumps(_Code(canary))


def _tag(canary: Path) -> bytes:
    made = f"!!python/object/apply:pathlib.Path [{canary}]"
    return f"!!python/object/apply:pathlib.Path.touch [{made}]".encode()


def _hint(canary: Path) -> bytes:
    """As jsonpickle and others would read it."""
    made = {"py/reduce": [{"py/function": "pathlib.Path.touch"}, {"py/tuple": [str(canary)]}]}
    return json.dumps({**made, "__class__": "pathlib.Path", "modules": []}).encode()


def _objects(canary: Path) -> bytes:
    file = io.BytesIO()
    names = ("columns", "rows", "nan", "mean", "spread")
    code = np.array([_Code(canary)], dtype=object)
    np.savez(file, **dict.fromkeys(names, code), allow_pickle=True)
    return file.getvalue()


def _extension(canary: Path) -> pa.Table:
    """Columns of a type that old readers made by unpickling its description."""
    about = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": _pickle(canary),
    }
    frame = pa.Table.from_pandas(wide(3, 8, "x"), preserve_index=False)
    fields = [field.with_metadata(about) for field in frame.schema]
    return frame.cast(pa.schema(fields, metadata={"pandas": _pickle(canary)}))


def _ipc(canary: Path) -> bytes:
    made = _extension(canary)
    file = pa.BufferOutputStream()
    with pa.ipc.new_file(file, made.schema) as writer:
        writer.write_table(made)
    return file.getvalue().to_pybytes()


def _parquet(canary: Path) -> bytes:
    file = io.BytesIO()
    pq.write_table(_extension(canary), file)
    return file.getvalue()


PLANTS = {
    ".json": (_pickle, _tag, _hint),
    ".npz": (_pickle, _objects),
    ".arrow": (_pickle, _ipc),
    ".parquet": (_pickle, _parquet),
}


def test_the_plants_would_run_if_they_were_read_carelessly(tmp_path):
    pickle.loads(_pickle(tmp_path / "canary"))  # noqa: S301
    assert (tmp_path / "canary").exists()
    with np.load(io.BytesIO(_objects(tmp_path / "other")), allow_pickle=True) as file:
        assert file["columns"] is not None
    assert (tmp_path / "other").exists()


def _all_files(table: Path) -> list[Path]:
    return [path for path in sorted(table.rglob("*")) if path.is_file()]


def test_no_file_of_a_table_carries_code(source, table, tmp_path, monkeypatch):
    """Each kind of file that a table has, with each kind of code, and all that reads it."""
    monkeypatch.setattr("tidemill.storage.lease_files.RENEW_SECONDS", 0.2)  # nobody renews code
    for day in DAYS[:2]:
        run(source, table, day)
    canary = tmp_path / "canary"
    kinds = {(path.parent.name, path.suffix) for path in _all_files(table)}
    assert {"_delta_log", "records", "intervals", "figures", "lease"} <= {one for one, _ in kinds}
    assert {suffix for _, suffix in kinds} == set(PLANTS)
    for kind in sorted(kinds):
        path = [one for one in _all_files(table) if (one.parent.name, one.suffix) == kind][-1]
        kept = path.read_bytes()
        for plant in PLANTS[path.suffix]:
            path.write_bytes(plant(canary))
            for read in (
                lambda: look(source, table, DAYS[1]),
                lambda: run(source, table, DAYS[1], recalculates="a test"),
                lambda: tidemill.read_matrix(table),
                lambda: history(SinkLayout.of(table), 5),
            ):
                with suppress(Exception):  # how well it is refused, others test
                    read()
                assert not canary.exists(), (path, plant)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kept)


@pytest.mark.parametrize("kind", [".arrow", ".json"])
def test_no_file_of_spilled_rows_carries_code(kind, tmp_path):
    """Neither in the run that wrote them nor in the next one."""
    canary, path = tmp_path / "canary", tmp_path / "in.csv"
    frame = wide(4, 8, "x")
    frame.sample(frac=1, random_state=1).to_csv(path, index=False)  # not by id: it is spilled
    for number, plant in enumerate(PLANTS[kind]):
        sink = tmp_path / f"matrix{number}"
        order = {"column_id": "id", "column_sort": "time", "settings": "minimal"}
        order |= {"part_bytes": 8 * 24}
        with Job.open(make_request(path, sink, **order)) as job:
            plan = load_plan(job.run)
            for task in spill_tasks(plan):
                run_spill_task(plan, task, job.run.work_dir)
            spilled = [one for one in Path(job.run.work_dir).rglob(f"*{kind}") if one.is_file()]
            assert spilled
            for one in spilled:
                one.write_bytes(plant(canary))
            with suppress(Exception):
                run_chunk(job.run, [0])
        assert extract(path, sink, **order).rows == 4
        assert list(tidemill.read_matrix(sink).index) == [0, 1, 2, 3]
        assert not canary.exists(), plant


@pytest.mark.parametrize(("suffix", "plant"), [(".parquet", _parquet), (".arrow", _ipc)])
def test_types_of_an_input_carry_no_code(suffix, plant, tmp_path):
    path = tmp_path / f"in{suffix}"
    path.write_bytes(plant(tmp_path / "canary"))
    for order in ({}, {"part_bytes": 100}):
        assert extract(path, tmp_path / "matrix", **order).rows == 3
    assert len(tidemill.read_matrix(tmp_path / "matrix")) == 3
    assert not (tmp_path / "canary").exists()
