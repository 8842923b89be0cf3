"""What a command checks, it checks once: calls are counted in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest

from ..support.inputs import make_input

pytestmark = pytest.mark.timeout(660)  # counting takes its time on a machine that is busy

#: Functions that resolve what was asked for, by module and name.
WATCHED = {
    ("planning/request.py", "make_request"),
    ("planning/prepare.py", "prepare"),
    ("sources/files/open.py", "_look"),
    ("storage/check_sink.py", "check_sink"),
    ("orchestration/cluster.py", "parse_cluster"),
    ("calculators/settings.py", "_read"),
    ("calculators/settings.py", "canonical"),
    ("planning/plan_json.py", "plan_from_json"),
    ("model/feature_names.py", "feature_name"),
    ("calculators/recipe.py", "_make_recipe"),
}
COUNTING = """
import collections, json, sys, threading
watched, counts, known = {watched!r}, collections.Counter(), {{}}

def profile(frame, event, argument):
    if event != "call":
        return
    code = frame.f_code
    if code not in known:
        known[code] = next(
            (one for one in watched
             if code.co_name == one[1] and code.co_filename.endswith("tidemill/" + one[0])), None
        )
    if known[code]:
        counts["/".join(known[code])] += 1

# Imports are most of the calls, and none of those that count.
import tidemill.execution.in_process, tidemill.flows.extract, tidemill.flows.recurring
from tidemill.cli.main import main

threading.setprofile(profile)
sys.setprofile(profile)
try:
    main()
finally:
    sys.setprofile(None)
    with open({result!r}, "w") as file:
        json.dump(counts, file)
"""


@pytest.fixture
def count(tmp_path):
    """Run a command and count its calls of the functions above."""

    def run(*arguments: object) -> Counter[str]:
        result = tmp_path / "counts.json"
        code = COUNTING.format(watched=sorted(WATCHED), result=str(result))
        command = [sys.executable, "-c", code, *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert ran.returncode == 0, ran.stderr[-2000:]
        return Counter(json.loads(result.read_text()))

    return run


def is_resolved_once(counts: Counter[str], n_columns: int) -> None:
    assert counts["planning/request.py/make_request"] == 1
    assert counts["planning/prepare.py/prepare"] == 1
    assert counts["storage/check_sink.py/check_sink"] == 1
    assert counts["orchestration/cluster.py/parse_cluster"] == 1
    assert counts["calculators/settings.py/_read"] == 1
    assert counts["planning/plan_json.py/plan_from_json"] == 0
    # Once to find doubles when settings are read, once to name the columns.
    assert counts["model/feature_names.py/feature_name"] <= 2 * n_columns
    assert counts["calculators/recipe.py/_make_recipe"] <= 2


@pytest.mark.parametrize("cluster", ["none", "threads:1"])
def test_an_extraction_is_resolved_once(cluster, count, tmp_path, server_environment):
    series = make_input(tmp_path, n_ids=4)
    counts = count(
        "extract", series.path, tmp_path / "matrix", "--column-id=id", "--column-sort=time",
        "--settings=minimal", f"--cluster={cluster}",
    )  # fmt: skip
    is_resolved_once(counts, n_columns=10)
    assert counts["sources/files/open.py/_look"] == 1
    assert counts["calculators/settings.py/canonical"] <= 2


@pytest.mark.slow
def test_an_interval_is_resolved_once(count, tmp_path, server_environment):
    hours = pd.date_range("2026-11-19", periods=24, freq="h")
    frame = pd.DataFrame({"id": 1, "time": hours, "x": range(24)})
    frame.to_parquet(tmp_path / "in.parquet")
    counts = count(
        "extract-interval", tmp_path / "in.parquet", tmp_path / "table", "--column-id=id",
        "--column-time=time", "--settings=minimal", "--interval-start=2026-11-19", "--lookback=0",
        "--cluster=threads:1",
    )  # fmt: skip
    is_resolved_once(counts, n_columns=10)
