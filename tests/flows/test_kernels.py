"""Workers compile kernels once per host, before any chunk is timed; so do those that join late."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tidemill.calculators import preset
from tidemill.calculators.recipe import Recipe, compile_jobs
from tidemill.calculators.warming import waiting_text
from tidemill.flows.extract import extract

from ..support import programs
from ..support.api import named_run
from ..support.inputs import make_input
from ..support.sinks import committed_parts, state
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

#: Less than compiling takes (several seconds), and much more than a tiny part does.
PART_SECONDS = 1.0


def kernels() -> int:
    return len(set(compile_jobs(Recipe.of(preset("minimal")))))


def part_seconds(sink) -> list[float]:
    markers = (json.loads(path.read_text()) for path in state(sink).glob("keys/*/parts/*.json"))
    return [marker["seconds"] for marker in markers if marker["index"] != 1]


def test_workers_of_one_host_compile_each_kernel_once(scheduler, tmp_path, sink):
    series = make_input(tmp_path, n_ids=6, ids_per_part=1)
    environment = {"TIDEMILL_CACHE_DIR": str(tmp_path / "cache")}
    with (
        programs.worker(scheduler, threads=1, environment=environment),
        programs.worker(scheduler, threads=1, environment=environment),
    ):
        runs, summary = named_run(
            extract, **series.arguments, sink=str(sink), settings="minimal", cluster=scheduler
        )
    (line,) = runs.wait_for_log("preflight:")
    assert re.search(rf"2 workers are ready; they compiled {kernels()} kernels$", line.message)
    assert summary["seconds"]["load_kernels"] > 0
    assert max(part_seconds(sink)) < PART_SECONDS


def test_a_worker_that_joins_late_compiles_before_it_gets_chunks(scheduler, tmp_path, probe, sink):
    series = make_input(tmp_path, n_ids=4)
    minimal = dict.fromkeys(name for name, _ in preset("minimal"))
    request = {**series.arguments, **probe.arguments, "sink": str(sink), "cluster": scheduler}
    request["settings"] = {**minimal, **probe.arguments["settings"]}
    probe.tell(1, "wait go")
    late_cache = tmp_path / "late"
    with ThreadPoolExecutor(1) as pool, programs.worker(scheduler, threads=1):
        running = pool.submit(extract, **request)
        until(lambda: 1 in probe.counts, 90, "the run begins", running)
        late = {"TIDEMILL_CACHE_DIR": str(late_cache)}
        with programs.worker(scheduler, threads=2, environment=late):
            until(lambda: committed_parts(sink) >= 3, 90, "the late worker helps", running)
            probe.release("go")
            running.result(90)
    assert len(list(late_cache.rglob("*.ready"))) == kernels()
    assert max(part_seconds(sink)) < PART_SECONDS


@pytest.mark.usefixtures("server_environment")
def test_the_first_run_says_what_it_is_waiting_for(tmp_path, sink):
    series = make_input(tmp_path, n_ids=3)
    options = [series.path, sink, *series.options, "--settings=minimal", "--cluster=threads:1"]
    environment = {"TIDEMILL_CACHE_DIR": str(tmp_path / "cache")}
    for is_first in (True, False):
        with programs.extraction(*options, environment=environment) as ran:
            ran.finishes()
            said = waiting_text(kernels())
            assert (said in ran.output) == is_first
