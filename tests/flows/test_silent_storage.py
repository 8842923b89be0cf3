"""Object storage that answers nothing at all from the middle of a run on, on every cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import tidemill

from ..support import faulty_s3, programs, s3
from ..support.faulty_s3 import FaultyS3
from ..support.inputs import make_input
from ..support.probes import Probe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CLUSTERS = ("none", "threads:2", "processes:2")
SECONDS_TO_SAY = 120.0  # 55 to 80 were seen


@pytest.fixture
def storages() -> Iterator[list[FaultyS3]]:
    """Proxies that can fall silent, each for one command."""
    with s3.server() as (url, _), ExitStack() as stack:
        yield [stack.enter_context(faulty_s3.proxy(url)) for _ in CLUSTERS]


def test_the_command_says_so_in_two_minutes(storages, tmp_path, prefect_server, monkeypatch):
    series = make_input(tmp_path, n_ids=6)
    options = [f"--storage-option={name}={value}" for name, value in s3.OPTIONS.items()]

    def run(cluster: str, storage: FaultyS3, folder: Path) -> None:
        probe = Probe(folder)
        probe.folder.mkdir()
        probe.tell("all", "wait go")
        given = [*series.options, *probe.options, *options, f"--cluster={cluster}"]
        environment = {**s3.values(storage.url), "PREFECT_API_URL": prefect_server}
        sink = f"s3://{s3.BUCKET}/{folder.name}"
        with programs.extraction(series.path, sink, *given, environment=environment) as started:
            probe.wait_for_calls(1, started)
            storage.add("silent", seconds=600)
            began = time.monotonic()
            probe.release("go")
            status = started.wait(300)
            seconds = time.monotonic() - began
            print(f"{cluster}: {seconds:.0f} s")  # noqa: T201 - seen if the test fails
            assert status == 1
            assert "gave no good answer for s3://" in started.output.splitlines()[-1]
            assert seconds < SECONDS_TO_SAY
        storage.heal()
        again = [*given[:-1], "--cluster=none"]
        with programs.extraction(series.path, sink, *again, environment=environment) as rerun:
            rerun.finishes()

    places = [tmp_path / str(n) for n in range(len(CLUSTERS))]
    with ThreadPoolExecutor(len(CLUSTERS)) as pool:
        list(pool.map(run, CLUSTERS, storages, places))
    for name, value in s3.values(storages[0].url).items():
        monkeypatch.setenv(name, value)
    for place in places:
        matrix = tidemill.read_matrix(f"s3://{s3.BUCKET}/{place.name}", storage_options=s3.OPTIONS)
        assert list(matrix.index) == series.ids
