"""Disks that fill up, run out of inodes, or are taken away in mid-run; small ones, mounted here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import LeaseLostError, ResourceError, SinkError
from tidemill.execution import in_process
from tidemill.execution import reduce as reduce_module
from tidemill.execution.records import RunSummary

from ..support.series import ROLES, extract, wide, write

FRAME = wide(20, 20, "x")
PARTS = 10  # two ids in each
SIZE = {"room": "size=3m", "inodes": "size=8m,nr_inodes=300", "read-only": "size=8m"}
SAYS = {
    "room": r"no space left in .*: .* [\d,]+ of 3,145,728 bytes are free; make room",
    "inodes": r"no space left in .* \d+ of its 300 inodes are used, so no more files can be made; ",
    "read-only": "cannot be written, because its file system is read-only; make it writable",
}


@pytest.fixture
def disk(request, tmp_path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", SIZE[request.param], "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("cannot mount a file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def use_up(folder: Path, what: str) -> None:
    if what == "room":
        with (folder / "filler").open("wb", buffering=0) as file:
            _until_full(lambda: file.write(bytes(65_536)))
            _until_full(lambda: file.write(bytes(1)))
    elif what == "inodes":
        (folder / "fillers").mkdir()
        _until_full(lambda: (folder / "fillers" / uuid.uuid4().hex).write_bytes(b""))
    else:
        _remount(folder, "ro")


def give_back(folder: Path, what: str) -> None:
    if what == "room":
        (folder / "filler").unlink()
    elif what == "inodes":
        shutil.rmtree(folder / "fillers")
    else:
        _remount(folder, "rw")


def _until_full(step: Callable[[], object]) -> None:
    try:
        while True:
            step()
    except OSError:
        return


def _remount(folder: Path, mode: str) -> None:
    """It is refused while a file is open for writing, as a lease's is for a moment."""
    command = ["mount", "-o", f"remount,{mode}", str(folder)]
    give_up = time.monotonic() + 30
    while subprocess.run(command, check=False, capture_output=True).returncode:
        assert time.monotonic() < give_up
        time.sleep(0.02)


class Run:
    """A run whose disk fails at a moment of one's choice, over an earlier result."""

    def __init__(self, folder: Path, sink: Path, monkeypatch, order: str = "id") -> None:
        self.input, self.sink, self.order = folder / "in" / "a.parquet", sink, order
        self.options = {"part_bytes": 1000, **ROLES}
        self.in_part: Callable[[], None] = lambda: None
        self.seen = 0

        @calculator(version="1")
        def failing_disk(values):
            self.seen += 1
            if self.seen == PARTS:
                self.in_part()
            return float(len(values))

        self.patch = monkeypatch
        self.give(1.0)
        self.extract()
        self.before = self.read()
        self.give(2.0)
        self.seen = 0

    def give(self, factor: float) -> None:
        write(FRAME.assign(x=FRAME["x"] * factor).sort_values([self.order]), self.input, 40)

    def extract(self) -> RunSummary:
        settings = {"failing_disk": None, "mean": None}
        return extract(self.input, self.sink, settings, **self.options)

    def read(self) -> pd.DataFrame:
        return tidemill.read_matrix(self.sink)

    def fail_during(self, step: str, fail: Callable[[], None]) -> None:
        if step == "parts":
            self.in_part = fail
            return
        module, name = {
            "spill": (in_process, "partition"),
            "publish": (in_process, "wait_to_publish"),
            "record": (reduce_module, "write_record"),
        }[step]
        function = getattr(module, name)

        def failing(*arguments):
            self.patch.setattr(module, name, function)
            fail()
            return function(*arguments)

        self.patch.setattr(module, name, failing)


def _unfinished(*folders: Path) -> list[Path]:
    return [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and (path.name.startswith(".") or "#" in path.name)
    ]


CASES = [(what, step) for what in SIZE for step in ("parts", "publish", "record")]
CASES.remove(("read-only", "parts"))  # a file is open then


@pytest.mark.parametrize(("disk", "step"), CASES, indirect=["disk"])
def test_a_disk_that_fails(disk, step, request, tmp_path, monkeypatch, own_calculators):
    what = request.node.callspec.params["disk"]
    run = Run(tmp_path, disk / "matrix", monkeypatch)
    run.fail_during(step, lambda: use_up(disk, what))
    with pytest.raises(ResourceError, match=SAYS[what]) as caught:
        run.extract()
    assert str(disk) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not _unfinished(disk)
    assert run.read().equals(run.before) is (step != "record")
    give_back(disk, what)
    again = run.extract()
    assert again.parts["total"] == PARTS
    assert again.parts["reused"] == PARTS or (step == "parts" and again.parts["reused"] > 0)
    assert not run.read().equals(run.before)
    assert not _unfinished(disk)


@pytest.mark.parametrize("disk", ["room", "inodes"], indirect=True)
def test_a_full_disk_below_the_spill(disk, request, tmp_path, monkeypatch, own_calculators):
    what = request.node.callspec.params["disk"]
    run = Run(tmp_path, tmp_path / "matrix", monkeypatch, order="time")
    run.options["work_dir"] = disk / "work"
    run.fail_during("spill", lambda: use_up(disk, what))
    with pytest.raises(ResourceError, match=rf"{disk}/work.*(where 0 are free|inodes are used)"):
        run.extract()
    assert not _unfinished(disk, run.sink)
    assert run.read().equals(run.before)
    give_back(disk, what)
    run.extract()
    assert not run.read().equals(run.before)


@pytest.mark.parametrize("step", ["parts", "publish"])
def test_a_sink_that_disappears(step, tmp_path, monkeypatch, own_calculators):
    """As when a disk is unmounted: what is written then is not taken for a result."""
    sink, away = tmp_path / "matrix", tmp_path / "away"
    run = Run(tmp_path, sink, monkeypatch)
    run.fail_during(step, lambda: sink.rename(away))
    with pytest.raises((LeaseLostError, SinkError), match=r"lease was removed|parts are missing"):
        run.extract()
    if sink.exists():
        with pytest.raises(SinkError):
            run.read()
    shutil.rmtree(sink, ignore_errors=True)
    away.rename(sink)
    assert run.read().equals(run.before)
    assert run.extract().parts["reused"] > 0
    assert not run.read().equals(run.before)
    assert not _unfinished(sink)


def test_unfinished_files_of_killed_writers_go_at_the_next_start(
    tmp_path, monkeypatch, own_calculators
):
    run = Run(tmp_path, tmp_path / "matrix", monkeypatch)
    left = run.sink / ".part-0597a6302ed22a07-000003-25f7a12d0120460a.parquet.0123456789ab"
    left.write_bytes(b"half")
    seen = []
    run.fail_during("publish", lambda: seen.append(left.exists()))
    run.extract()
    assert seen == [False]
