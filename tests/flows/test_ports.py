"""Which ports the command opens while it runs, on every cluster: of this machine alone."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tidemill import deployments

from ..support import programs
from ..support.inputs import make_input
from ..support.probes import Probe

pytestmark = pytest.mark.timeout(600)

SERVER = "create_app"  # part of the command of the embedded server
CLUSTER_FILE = str(Path(deployments.__file__).parent / "clusters" / "two-processes.yaml")

#: Who of a session listens ("server" or "others"), and where.
Places = set[tuple[str, str, int]]


def listening(processes: Iterable[psutil.Process]) -> Places:
    """The ports that processes have bound to receive what others send."""
    found = set()
    for process in processes:
        try:
            who = "server" if any(SERVER in word for word in process.cmdline()) else "others"
            for one in process.net_connections(kind="inet"):
                unconnected = one.type == socket.SOCK_DGRAM and one.laddr and not one.raddr
                if one.status == psutil.CONN_LISTEN or unconnected:
                    found.add((who, one.laddr.ip, one.laddr.port))
        except psutil.NoSuchProcess:
            continue
    return found


def of_session(started: programs.Program) -> Places:
    """Those of a program and of all that it has started."""
    return listening(programs.session_members(started.pid))


def is_all_local(seen: Places) -> bool:
    """Whether nobody on another machine can reach them; none is where Dask's pages would be."""
    return all(ipaddress.ip_address(ip).is_loopback and port != 8787 for _, ip, port in seen)


def seen_until(finished: Callable[[], bool], started: programs.Program) -> Places:
    """What listened at any time until then."""
    seen: Places = set()
    give_up = time.monotonic() + 300
    while not finished():
        assert time.monotonic() < give_up, started.output
        seen |= of_session(started)
        time.sleep(0.2)
    return seen


def check(started: programs.Program, probe: Probe, *, servers: int, others: bool) -> None:
    """Everything that listens, from the start to the end, does so on this machine alone."""
    seen = seen_until(lambda: started.done() or bool(probe.calls), started)
    assert probe.calls, started.output
    steady = of_session(started)
    probe.release("go")
    seen |= steady | seen_until(started.done, started)
    started.finishes()
    print(f"seen {sorted(seen)}")  # noqa: T201 - seen if the test fails
    assert is_all_local(seen)
    assert len({port for who, _, port in steady if who == "server"}) == servers
    assert any(who == "others" for who, _, _ in seen) is others


@pytest.fixture
def probe(tmp_path) -> Probe:
    """A probe that waits in every series until it is released."""
    made = Probe(tmp_path / "probe")
    made.folder.mkdir()
    made.tell("all", "wait go")
    return made


@pytest.fixture
def extraction(tmp_path, probe) -> Iterator[Callable[..., programs.Program]]:
    """What starts the command on a cluster; without a URL it starts a server of its own."""
    series = make_input(tmp_path, n_ids=2)
    with ExitStack() as stack:

        def start(cluster: str, server: str = "") -> programs.Program:
            options = [*series.options, *probe.options, f"--cluster={cluster}"]
            environment = {"PREFECT_API_URL": server}
            return stack.enter_context(
                programs.extraction(
                    series.path, tmp_path / "matrix", *options, environment=environment
                )
            )

        yield start


def test_without_a_cluster_nothing_listens(extraction, probe):
    check(extraction("none"), probe, servers=0, others=False)


@pytest.mark.slow
def test_the_embedded_server_and_threads_listen_on_this_machine(extraction, probe):
    check(extraction("threads"), probe, servers=1, others=True)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["processes:2", CLUSTER_FILE], ids=["processes", "file"])
def test_processes_listen_on_this_machine(cluster, extraction, probe, prefect_server):
    check(extraction(cluster, prefect_server), probe, servers=0, others=True)


@pytest.mark.slow
def test_beside_a_scheduler_of_ones_own_nothing_listens(extraction, probe, prefect_server):
    with programs.scheduler() as address, programs.worker(address, nanny=False):
        check(extraction(address, prefect_server), probe, servers=0, others=False)


@pytest.mark.slow
def test_the_demo_listens_on_this_machine(tmp_path, prefect_server):
    command = [programs.BIN / "tidemill", "demo", "--output", tmp_path]
    with programs.program(command, {"PREFECT_API_URL": prefect_server}) as started:
        seen = seen_until(started.done, started)
        started.finishes()
    assert seen
    assert is_all_local(seen)


@pytest.mark.slow
def test_the_servers_of_these_tests_listen_on_this_machine(prefect_server, s3_server, scheduler):
    """Prefect's, that of object storage and Dask's, as the fixtures of the session start them."""
    assert prefect_server
    assert s3_server
    with programs.worker(scheduler) as worker:
        own = [psutil.Process(), *psutil.Process().children(recursive=True)]
        seen = listening(own)
        assert of_session(worker) <= seen
    assert len(seen) >= 5  # and two of each of Dask's
    assert is_all_local(seen)
