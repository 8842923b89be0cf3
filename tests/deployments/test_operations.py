"""docs/operations.md: the commands that its examples leave to this test."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from pathlib import Path

import pytest

import tidemill

from ..support.programs import BIN, program

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
MADE = ("authority.pem", "cluster.pem", "cluster-key.pem", "client.pem", "client-key.pem")


def blocks(language: str) -> list[list[str]]:
    """The commands of the blocks below "Dask has certificates"."""
    section = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (one for one in section if one.startswith("Dask has certificates\n"))
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r"\\\n\s*", "", one).splitlines() for one in found]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_five_commands_make_the_certificates(here):
    (commands,) = blocks("console")
    assert len(commands) == 5
    for command in commands:
        subprocess.run(shlex.split(command.removeprefix("$ ")), check=True, capture_output=True)
    assert all((here / name).is_file() for name in MADE)
    assert (here / "cluster-key.pem").stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_on_a_cluster_with_these_certificates(here, server_environment):
    test_five_commands_make_the_certificates(here)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    (block,) = blocks("bash")
    lines = [line.replace("192.0.2.10", "127.0.0.1").replace("8786", port) for line in block]
    scheduler, worker, *exports, extract = (shlex.split(line) for line in lines)
    given = dict(word.split("=") for name, word in exports if name == "export")
    assert len(given) == len(exports) == 3
    files = {name: str(here / value) for name, value in given.items()}
    with program([BIN / scheduler[0], *scheduler[1:]]) as started:
        started.says(r"Scheduler at:\s+tls://127\.0\.0\.1")
        with program([BIN / worker[0], *worker[1:]], {"PREFECT_API_URL": ""}) as member:
            member.says(r"Registered to:\s+tls://127\.0\.0\.1")
            with program([BIN / extract[0], *extract[1:]], files) as run:
                run.finishes(300)
    assert tidemill.read_matrix(here / "matrix").shape == (398, 10)
