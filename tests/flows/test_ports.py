"""What listens during a run: on loopback only, whatever the cluster, the tests' programs too."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from ..support import programs
from ..support.inputs import make_input
from ..support.probes import Probe
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILE = Path(__file__).parents[2] / "deployments/clusters/two-processes.yaml"
#: How many ports the processes of a command have open at least, by its cluster.
PORTS = {
    "none": 0,
    "threads:2": 2,  # Prefect's embedded server, Dask's pages
    "processes:2": 6,  # scheduler, its pages, two nannies and two workers
    str(FILE): 6,
    "scheduler": 0,  # the command itself only connects
    "demo": 2,  # as threads
}


def listening() -> set[tuple[int, str, int]]:
    """(session, address, port) of every TCP socket that this process or one below it listens on."""
    found = set()
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            session = os.getsid(process.pid)
            sockets = process.net_connections(kind="tcp")
        except (psutil.Error, ProcessLookupError):
            continue
        found |= {(session, *one.laddr) for one in sockets if one.status == psutil.CONN_LISTEN}
    return found


def test_runs_listen_on_loopback_only(prefect_server, scheduler, tmp_path):
    """All runs at the same time, each of which takes 20 s for a series; looked at all the time."""
    series = make_input(tmp_path, n_ids=2)
    with ExitStack() as stack:
        stack.enter_context(programs.worker(scheduler))
        started, probes = {}, {}
        for number, cluster in enumerate(PORTS):
            folder = tmp_path / str(number)
            folder.mkdir()
            if cluster == "demo":
                command = [programs.BIN / "tidemill", "demo", "--output", folder / "matrix"]
            else:
                probes[cluster] = Probe(folder)
                probes[cluster].tell("all", "sleep 20")
                where = scheduler if cluster == "scheduler" else cluster
                command = [
                    programs.BIN / "tidemill", "extract", series.path, folder / "matrix",
                    *series.options, *probes[cluster].options, f"--cluster={where}",
                    "--stall-seconds=600",
                ]  # fmt: skip
            embedded = cluster in {"threads:2", "demo"}
            environment = {"PREFECT_API_URL": "" if embedded else prefect_server}
            started[cluster] = stack.enter_context(programs.program(command, environment))
        seen = set()

        for cluster, program in started.items():

            def was_seen(cluster: str = cluster, program: programs.Program = program) -> bool:
                seen.update(listening())
                time.sleep(0.5)  # looking costs more than what is looked at
                return bool(probes[cluster].calls) if cluster in probes else program.done()

            until(was_seen, 300, f"{cluster} to calculate", program)
        seen |= listening()
        started["demo"].finishes()
        sessions = {cluster: program.pid for cluster, program in started.items()}
    beyond = [one for one in seen if not ip_address(one[1]).is_loopback]
    assert not beyond, (beyond, sessions)
    ports = {cluster: len([1 for one in seen if one[0] == sessions[cluster]]) for cluster in PORTS}
    assert all(ports[cluster] >= least for cluster, least in PORTS.items()), ports
    assert ports["none"] == ports["scheduler"] == 0, ports
