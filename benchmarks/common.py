"""What the benchmarks share: inputs, and whole processes timed with the memory of their tree."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20261120
#: Rows made and written at a time.
STEP_ROWS = 1_000_000


@dataclass(frozen=True)
class Measured:
    """One process, from start to end."""

    seconds: float  # wall
    peak_bytes: int  # sum of the resident memory of the process and its descendants
    output: str


def machine() -> str:
    """The machine, for the head of a table."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, Python "
        f"{platform.python_version()}, numpy {np.__version__}, pyarrow {pa.__version__}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))


def measure(command: Sequence[str], **environment: str) -> Measured:
    """Run a command; its wall seconds, the peak of its process tree, and what it printed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        list(command), stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    peak = _Peak(process.pid)
    output, _ = process.communicate()
    seconds = time.perf_counter() - started
    peak_bytes = peak.stop()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
    return Measured(seconds, peak_bytes, output)


class _Peak:
    """Watches the resident memory of a process tree, twenty times a second."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The peak so far, in bytes."""
        self._stop.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            total = 0
            try:
                for process in (self._root, *self._root.children(recursive=True)):
                    try:
                        total += process.memory_info().rss
                    except psutil.Error:
                        continue
            except psutil.Error:
                return
            self._peak = max(self._peak, total)


def extract(
    source: Path, sink: Path, *options: str, **environment: str
) -> tuple[Measured, dict[str, Any]]:
    """Run ``tidemill extract`` as a user would; the measurement and the summary."""
    tidemill = str(Path(sys.executable).with_name("tidemill"))
    command = [tidemill, "extract", str(source), str(sink), "--column-id", "id", "--json", *options]
    measured = measure(command, **environment)
    return measured, json.loads(measured.output)


@contextmanager
def workspace(keep: str | None = None) -> Iterator[Path]:
    """A folder for inputs and results, with a Prefect home of its own; removed at the end."""
    if keep is not None:
        Path(keep).mkdir(parents=True, exist_ok=True)
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory(prefix="tidemill-benchmark-") as folder:
        yield Path(folder)


def prefect_home(folder: Path) -> dict[str, str]:
    """Environment that gives a run a Prefect database of its own."""
    return {"PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}


def write_clustered(path: Path, n_ids: int, length: int) -> Path:
    """One Parquet file, rows of an id together, row groups of a million rows."""
    return _write(path, n_ids, length, STEP_ROWS)


def write_single_group(path: Path, n_ids: int, length: int) -> Path:
    """The same rows in a single row group."""
    return _write(path, n_ids, length, n_ids * length)


def _write(path: Path, n_ids: int, length: int, group_rows: int) -> Path:
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    n_rows = n_ids * length
    ids = np.repeat(np.arange(n_ids), length)
    table = pa.table({"id": ids, "value": rng.standard_normal(n_rows)})
    pq.write_table(table, path, row_group_size=group_rows)
    return path


def write_by_time(folder: Path, n_ids: int, length: int, n_files: int = 100) -> Path:
    """Files in time order, each with rows of all ids: the usual case in production."""
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    per_file = length // n_files
    for number in range(n_files):
        times = np.repeat(np.arange(number * per_file, (number + 1) * per_file), n_ids)
        ids = np.tile(np.arange(n_ids), per_file)
        table = pa.table({"id": ids, "time": times, "value": rng.standard_normal(len(ids))})
        pq.write_table(table, folder / f"{number:04d}.parquet")
    return folder


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table with aligned columns."""
    cells = [list(head), ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        fill = "-" if row[0] == "---" else " "
        padded = (cell.ljust(width, fill) for cell, width in zip(row, widths, strict=True))
        lines.append("| " + " | ".join(padded) + " |")
    return "\n".join(lines)
