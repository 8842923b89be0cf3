"""Every benchmark runs once, small: its figures are not looked at, its table is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = {
    "main_job.py": ["--ids", "20", "--length", "100", "--cluster", "none"],
    "overhead.py": ["--series", "20", "40", "--length", "10", "--settings", "minimal"],
    "threads.py": ["--ids", "20", "--length", "100", "--pairs", "1"],
    "predictions.py": ["--scale", "0.001", "--settings", "minimal"],
    "peers.py": ["--presets", "minimal", "--lengths", "100", "--pairs", "1", "--seconds", "0.01"],
    "lengths.py": ["--settings", "minimal", "--lengths", "9", "99", "--pairs", "1", "--long", "0"],
    "first_use.py": ["--settings", "minimal", "--starts", "1"],
    "wide_tables.py": ["--kinds", "2", "--ids", "3", "--length", "10", "--settings", "minimal"],
    "rolling.py": ["--rows", "2000", "--window", "100", "--settings", "minimal"],
    "dask_frames.py": ["--rows", "40000", "--partition", "20000", "--memory", "2GiB"],
    "selection.py": ["--rows", "200", "--columns", "20"],
    "p_values.py": ["--columns", "640"],
    "many_intervals.py": ["--intervals", "6"],
    "distributors.py": ["--series", "12", "--length", "20", "--settings", "minimal"],
    "calibrate_costs.py": ["--seconds", "0", "--lengths", "10", "100"],
}
NOT_RUN = {"common.py"}


def test_every_benchmark_is_run():
    assert {path.name for path in BENCHMARKS.glob("*.py")} - NOT_RUN == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_benchmark(name, tmp_path):
    arguments = list(SMALL[name])
    if name == "calibrate_costs.py":
        arguments += ["--output", str(tmp_path / "costs.json")]
    process = subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    assert "|" in process.stdout or "written to" in process.stdout
