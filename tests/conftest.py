"""What all tests share: a home of their own, one Prefect server, and a look at what they leave.

The environment is set while this file is imported, before any test can import Prefect or numba.
"""

import atexit
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import psutil
import pytest

ROOT = Path(__file__).parents[1]
# pytest keeps the folders of the last three sessions in the system's temporary folder. All else
# goes to a folder of this session, where anything that is left behind can be seen.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
SESSION_TEMP = Path(tempfile.mkdtemp(prefix="tidemill-tests-"))
SECONDS_TO_END = 15  # for processes that have been told to stop


def _prepare_environment() -> None:
    """Take out the caller's servers and clusters; put in ours."""
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "DASK_")):
            del os.environ[name]
    (SESSION_TEMP / "tmp").mkdir()
    os.environ.update(
        TMPDIR=str(SESSION_TEMP / "tmp"),
        PREFECT_HOME=str(SESSION_TEMP / "prefect"),
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="120",
        DO_NOT_TRACK="1",
        MPLBACKEND="agg",
    )
    # Compiled kernels last from session to session: their folder is keyed by their sources.
    os.environ.setdefault("TIDEMILL_CACHE_DIR", str(ROOT / ".pytest_cache" / "tidemill"))
    tempfile.tempdir = None  # read TMPDIR again


_prepare_environment()
# A shell's job in the background ignores Ctrl-C, and so would all programs that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that may take half an hour: the others are done beside them."""
    items.sort(key=lambda item: not _is_long(item))


def _is_long(item: pytest.Item) -> bool:
    limit = item.get_closest_marker("timeout")
    return limit is not None and limit.args[0] >= 1800


hypothesis.settings.register_profile(
    "tidemill", deadline=None, derandomize=True, print_blob=True, database=None
)
hypothesis.settings.load_profile("tidemill")


# Registered before any test imports Prefect, and so called after Prefect's own cleaning up.
atexit.register(shutil.rmtree, SESSION_TEMP, ignore_errors=True)


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """Take back what a test, or a command called in this process, set for all that follow."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Start every test from the same state of the global generators, whatever ran before."""
    random.seed(20_261)
    np.random.seed(20_261)  # noqa: NPY002 - for libraries that draw from it


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Return a generator seeded by the test's name."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Run one Prefect server for the session and yield the URL of its API."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield PREFECT_API_URL.value()


@pytest.fixture(scope="session", autouse=True)
def _lasting_processes() -> None:
    """Start the processes that last as long as this one, so that they are no remains.

    They are the one that Python keeps for its worker processes, and the guard of runs.
    """
    from multiprocessing import resource_tracker

    from tidemill.execution.guard import guarded

    resource_tracker.ensure_running()
    with guarded():
        pass


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a scheduler without workers."""
    from .support import programs

    with programs.scheduler() as address:
        yield address


@pytest.fixture(autouse=True, scope="module")
def _no_default_client() -> Iterator[None]:
    """Fail if a module leaves a Dask client that the flows of later modules would use."""
    yield
    if (client := sys.modules.get("distributed.client")) is None:
        return
    try:
        left = client.default_client()
    except ValueError:
        return
    shown = repr(left)
    left.close()
    pytest.fail(f"a client is still the default of this process: {shown}")


@pytest.fixture
def server_environment(prefect_server, monkeypatch) -> None:
    """Let programs that tests start use the session's Prefect server too."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)


@pytest.fixture
def sink(tmp_path) -> Path:
    """Where a matrix goes that is not there yet."""
    return tmp_path / "matrix"


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Run the command ``tidemill`` in this process; its exit code and standard error."""
    for name in ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "1" if name == "DO_NOT_TRACK" else "CRITICAL")
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str]:
        from tidemill.cli import main as cli

        monkeypatch.setattr(sys, "argv", ["tidemill", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        return code, re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)

    return run


@pytest.fixture
def own_calculators() -> Iterator[None]:
    """Forget the calculators that a test registers."""
    from tidemill.calculators import registry

    before = dict(registry._known)
    yield
    registry._known.clear()
    registry._known.update(before)


@pytest.fixture
def probe(tmp_path) -> Iterator:
    """A calculator that counts its calls and does what the test says."""
    from .support.probes import probing

    with probing(tmp_path) as probe:
        yield probe


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, object]]:
    """URL of an S3 server with an empty bucket, and a client for it."""
    from .support import s3

    with s3.server() as running:
        yield running


@pytest.fixture
def s3(s3_server, monkeypatch) -> tuple[str, dict[str, str], object]:
    """A prefix that nobody has used, storage options that name set variables, and a client."""
    from .support.s3 import BUCKET, OPTIONS, values

    url, client = s3_server
    for variable, value in values(url).items():
        monkeypatch.setenv(variable, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}", OPTIONS, client


def _children() -> set[psutil.Process]:
    alive = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def _ports() -> set[tuple[int, int]]:
    """(process, port) of every socket that this process or a child listens on."""
    listening = set()
    for process in (psutil.Process(), *_children()):
        try:
            connections = process.net_connections(kind="inet")
        except psutil.Error:
            continue
        listening |= {
            (process.pid, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN
        }
    return listening


def _temporary_files() -> set[Path]:
    return set((SESSION_TEMP / "tmp").iterdir())


def _remains() -> dict[str, set]:
    return {"processes": _children(), "ports": _ports(), "temporary files": _temporary_files()}


@pytest.fixture(autouse=True)
def _leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test marked ``leaves_nothing``, fail if something of it is still there."""
    if request.node.get_closest_marker("leaves_nothing") is None:
        yield
        return
    if "prefect_server" in request.fixturenames:  # runs on after the test, so it counts as before
        request.getfixturevalue("prefect_server")
    before = _remains()
    yield
    give_up = time.monotonic() + SECONDS_TO_END
    while left := {what: new for what, now in _remains().items() if (new := now - before[what])}:
        if time.monotonic() > give_up:
            pytest.fail(f"left behind {SECONDS_TO_END} s after the test: {left}")
        time.sleep(0.2)
