"""Two runs on one sink."""

from __future__ import annotations

import getpass
from concurrent.futures import ThreadPoolExecutor

import pytest

import tidemill
from tidemill.errors import SinkBusyError
from tidemill.flows.extract import extract

from ..support import programs
from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left, lease, records
from ..support.waiting import until

pytestmark = pytest.mark.usefixtures("server_environment")


@pytest.mark.slow
def test_the_second_run_is_refused_or_waits(tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=4)
    other = make_input(tmp_path / "other", n_ids=7)
    probe.tell(2, "wait go")
    options = [*series.options, *probe.options, "--cluster=threads:1"]
    with programs.extraction(series.path, sink, *options) as first:
        until(lambda: 2 in probe.counts, 120, "the first run works", first)
        request = {**other.arguments, "sink": str(sink), "settings": "minimal"}
        with pytest.raises(SinkBusyError) as refused:
            extract(**request, cluster="none")
        assert getpass.getuser() in str(refused.value)
        assert lease(sink)["run_id"] in str(refused.value)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(extract, **request, cluster="threads:1", wait_for_sink=100.0)
            probe.release("go")
            first.finishes()
            summary = waiting.result(100)
    assert [record["rows"] for record in records(sink)] == [4, 7]
    matrix = tidemill.read_matrix(str(sink))
    assert list(matrix.index) == other.ids
    assert matrix.shape == (summary["rows"], summary["columns"]) == (7, 10)
    assert_nothing_left(sink)
