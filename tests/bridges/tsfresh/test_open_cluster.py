"""A cluster that stays open, and ends with all that it started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidemill.bridges.tsfresh.open_cluster import OpenCluster
from tidemill.errors import ClusterError
from tidemill.orchestration.cluster import parse_cluster


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.leaves_nothing
@pytest.mark.parametrize("cluster", ["threads:1", "processes:1"])
def test_it_is_there_until_it_is_closed(cluster):
    opened = OpenCluster.open(parse_cluster(cluster))
    assert opened.is_alive
    assert opened.client.submit(sum, [1, 2]).result(timeout=60) == 3
    opened.close()
    opened.close()
    assert not opened.is_alive


@pytest.mark.usefixtures("prefect_server")
def test_what_goes_wrong_is_raised_where_it_is_opened():
    with pytest.raises(ClusterError, match="cannot be reached"):
        OpenCluster.open(parse_cluster("tcp://127.0.0.1:9"))


@pytest.mark.usefixtures("prefect_server")
def test_a_scheduler_that_is_there_stays(scheduler):
    opened = OpenCluster.open(parse_cluster(scheduler))
    assert opened.client.scheduler.address == scheduler
    opened.close()
    again = OpenCluster.open(parse_cluster(scheduler))
    assert again.is_alive
    again.close()


@pytest.mark.slow
def test_the_end_of_a_program_ends_it(server_environment):
    program = (
        "from tidemill.bridges.tsfresh import PrefectDistributor\n"
        "distributor = PrefectDistributor('threads:1', disable_progressbar=True)\n"
        "print(distributor.map_reduce(lambda item: [item], [1, 2]))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (shown.returncode, shown.stdout) == (0, "[1, 2]\n"), shown.stderr
    assert "Traceback" not in shown.stderr
