"""What the wheel holds, and that it works where nothing else is installed."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

SERVER_SECONDS = 120  # for a first start on a slow machine


@pytest.fixture(scope="session")
def content(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_installs_tidemill_and_nothing_else(content):
    tops = {name.split("/")[0] for name in content if ".dist-info/" not in name}
    assert tops == {"tidemill"}


def test_wheel_holds_every_file_of_the_packages(content, package_folders):
    expected = {
        f"{package.replace('.', '/')}/{path.relative_to(folder).as_posix()}"
        for package, folder in package_folders.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in content if ".dist-info/" not in name} == expected


def test_wheel_holds_types_data_and_licence(content):
    assert "tidemill/py.typed" in content
    assert "tidemill/data/sea_surface_temperature.parquet" in content
    assert [name for name in content if name.endswith(".dist-info/licenses/LICENSE")]


def clean_environment(tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "PYTHON"))}
    return kept | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Return the bin folder of a new virtual environment with the wheel and what it asks for.

    Without our constraints, as a user installs it: so that a dependency's new release that does
    not fit is found here.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/python", "-m", "pip", "install", "--quiet", wheel], check=True)
    return venv / "bin"


@pytest.fixture(params=["elsewhere", "repository"])
def folder(request, tmp_path, root) -> Path:
    """Where the command is run: at the root of the repository, ./flows and ./tasks lie about."""
    return tmp_path if request.param == "elsewhere" else root


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("module", ["tidemill", "tidemill.flows", "tidemill.tasks"])
def test_installed_wheel_is_what_gets_imported(installed, folder, tmp_path, module):
    found = subprocess.run(
        [installed / "python", "-c", f"import {module}; print({module}.__file__)"],
        cwd=folder,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_installed_command_shows_its_help(installed, folder, tmp_path):
    shown = subprocess.run(
        [installed / "tidemill", "--help"],
        cwd=folder,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "Usage" in shown.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(command: list, log: Path, env: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a server; end it, and all it has started, by their ids."""
    with log.open("wb") as output:
        server = psutil.Popen(command, cwd=log.parent, env=env, stdout=output, stderr=output)
    try:
        yield server
    finally:
        family = [server, *server.children(recursive=True)] if server.is_running() else []
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(family, timeout=15)
        for process in alive:
            process.kill()


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5) as answer:
            return json.load(answer) is True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.leaves_nothing
def test_a_clean_installation_starts_a_prefect_server(installed, tmp_path):
    """Its dependencies fit together: the declared ones, and those that they bring."""
    port, log = free_port(), tmp_path / "server.log"
    command = [installed / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    give_up = time.monotonic() + SERVER_SECONDS
    with running(command, log, clean_environment(tmp_path)) as server:
        while not is_healthy(port):
            assert server.is_running(), log.read_text()
            assert server.status() != psutil.STATUS_ZOMBIE, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.5)
