"""What is missing, said before anything is started."""

from __future__ import annotations

import shutil
import socket
from importlib import metadata

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_API_AUTH_STRING,
    temporary_settings,
)

from tidemill.orchestration.deploy.new_project import write_project
from tidemill.orchestration.stack import check as checks
from tidemill.orchestration.stack.check import check
from tidemill.orchestration.stack.ports import free_port
from tidemill.orchestration.stack.request import StackRequest
from tidemill.orchestration.stack.running import only_stack

from ...support import postgres


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path / "features")
    return tmp_path / "features"


@pytest.fixture(autouse=True)
def _no_server():
    """Whichever server other tests of this process use."""
    with temporary_settings(restore_defaults=[PREFECT_API_URL]):
        yield


def asked(project, **options):
    return StackRequest.of(project, **{"port": free_port(4200), "environment": {}, **options})


def wrong(request) -> dict[str, str]:
    """What is wrong, by its subject."""
    found: dict[str, list[str]] = {}
    for one in check(request):
        if one.is_wrong:
            found.setdefault(one.subject, []).append(one.text)
    return {subject: "; ".join(texts) for subject, texts in found.items()}


def notes(request) -> dict[str, str]:
    return {one.subject: one.text for one in check(request) if one.is_note}


def test_nothing_is_missing_for_a_new_project(project):
    request = asked(project)
    assert wrong(request) == {}
    assert notes(request) == {}
    found = {one.subject: one.text for one in check(request)}
    assert found["project"].startswith(f"{project / 'prefect.yaml'}: 'features' with ")
    assert found["database"].startswith("SQLite, ")


def test_who_has_the_port_is_named_and_another_one_offered(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = wrong(asked(project, port=port))["port"]
    assert said.startswith(f"port {port} is taken by process ")
    assert "--port " in said


def test_all_that_is_wrong_is_said_at_once(project):
    file = project / "prefect.yaml"
    file.write_text(file.read_text().replace("extract.extract", "extract.nothing"))
    said = wrong(asked(project, host="nowhere.invalid", database="mysql://me:secret@db/prefect"))
    assert said.keys() == {"project", "port", "database"}
    assert "cannot be imported" in said["project"]
    assert "secret" not in "".join(said.values())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "does not exist; `tidemill init DIR` writes a project"),
        ("name: x\ndeployments: []\n", "there are no deployments"),
        ("name: x\ndeploymnts: []\n", "key 'deploymnts' is not allowed"),
    ],
)
def test_files_that_cannot_be_deployed(tmp_path, content, match):
    if content is not None:
        (tmp_path / "prefect.yaml").write_text(content)
    assert match in wrong(asked(tmp_path / "prefect.yaml"))["project"]


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("postgresql://me:secret@db/x", "write postgresql+asyncpg://"),
        ("nonsense", "is no URL"),
        ("sqlite+aiosqlite:///:memory:", "would be lost"),
        ("sqlite+aiosqlite:////no/such/folder/x.db", "/no/such/folder does not exist"),
        ("postgresql+asyncpg://me:secret@127.0.0.1:1/x", "cannot be used: ConnectionRefused"),
    ],
)
def test_databases_that_cannot_be_used(project, url, match):
    said = wrong(asked(project, database=url))["database"]
    assert match in said
    assert "secret" not in said


def test_postgresql_is_connected_to(project):
    with postgres.server() as server:
        address = f"127.0.0.1:{server.port}/postgres"
        right = f"postgresql+asyncpg://{postgres.USER}:hu%2Fsh%401@{address}"
        answers = {one.subject: one for one in check(asked(project, database=right))}
        assert answers["database"].text.startswith("PostgreSQL ")
        assert not answers["database"].is_wrong
        assert "sh%401" not in answers["database"].text
        said = wrong(asked(project, database=right.replace("hu", "ha")))["database"]
        assert "password authentication failed" in said
        said = wrong(asked(project, database=f"{right}_none"))["database"]
        assert '"postgres_none" does not exist' in said


def test_another_stack_is_named_and_its_port_is_not_a_second_fault(project):
    request = asked(project)
    with only_stack(request.home, request.api, request.file):
        assert wrong(request).keys() == {"other stacks"}


def test_a_full_disk_is_told_before(project, monkeypatch):
    usage = shutil.disk_usage(project)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert "1.0 MiB free" in wrong(asked(project))["home"]


def test_versions_that_break_prefect_are_told_with_the_remedy(project, monkeypatch):
    real = metadata.version
    monkeypatch.setattr(
        checks.metadata, "version", lambda name: "2.1.0" if name == "sqlalchemy" else real(name)
    )
    said = wrong(asked(project))["versions"]
    assert said.startswith("sqlalchemy 2.1.0 is installed")
    assert "pip install 'sqlalchemy<2.1" in said


def test_a_host_beyond_this_machine_is_noted_with_the_remedy(project):
    said = notes(asked(project, host="0.0.0.0"))["host"]  # noqa: S104
    assert "without a password; set PREFECT_SERVER_API_AUTH_STRING" in said
    secret = {PREFECT_SERVER_API_AUTH_STRING: "me:secret", PREFECT_API_AUTH_STRING: "me:secret"}
    with temporary_settings(secret):
        assert "without a password" not in notes(asked(project, host="0.0.0.0"))["host"]  # noqa: S104


def test_workers_need_the_password_too(project):
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: "me:secret"}):
        said = wrong(asked(project))["password"]
    assert "set PREFECT_API_AUTH_STRING" in said


def test_a_server_that_is_configured_is_left_alone_and_named(project):
    with temporary_settings({PREFECT_API_URL: "http://me:secret@elsewhere:4200/api"}):
        said = notes(asked(project))["other server"]
    assert "http://elsewhere:4200/api" in said
    assert "tidemill deploy" in said
