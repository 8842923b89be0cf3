"""The processes of the stack: their commands and environments."""

import socket
import time
from datetime import timedelta

import pytest
from prefect.settings import PREFECT_EVENTS_EXPIRED_BUCKET_BUFFER, temporary_settings

from tidemill.orchestration.stack import children
from tidemill.orchestration.stack.request import StackRequest

DATABASE = "postgresql+asyncpg://me:secret@db/prefect"


def asked(environment=None, **options):
    return StackRequest.of(environment=environment or {}, **options)


def all_of(request):
    return [
        children.server(request),
        children.scheduler(request),
        children.dask_workers(request),
        children.worker(request, "pool", "worker"),
    ]


def test_only_the_server_knows_the_database():
    for given, environment in (
        ({"database": DATABASE}, {}),
        ({}, {"PREFECT_API_DATABASE_CONNECTION_URL": DATABASE}),
        ({}, {"PREFECT_SERVER_DATABASE_PASSWORD": "secret"}),
    ):
        server, *others = all_of(asked(environment, **given))
        assert "secret" in " ".join(server.environment.values())
        assert not any("secret" in " ".join(one.environment.values()) for one in others)
        assert not any("secret" in " ".join(one.command) for one in (server, *others))


def test_the_database_asked_for_goes_before_one_that_is_set():
    environment = {"PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////old.db"}
    server = children.server(asked(environment, database=DATABASE))
    assert [text for name, text in server.environment.items() if "_DATABASE_" in name] == [DATABASE]


def test_all_use_the_stacks_own_server_and_send_nothing_home():
    for one in all_of(asked({"PREFECT_API_URL": "http://elsewhere/api"}, port=4300)):
        assert one.environment.get("PREFECT_API_URL") in {None, "http://127.0.0.1:4300/api"}
        assert one.environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "PREFECT_API_URL" not in children.server(asked({"PREFECT_API_URL": "x"})).environment


def test_a_server_that_was_started_again_does_not_forget_crashes():
    name = "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER"
    assert children.server(asked()).environment[name] == "PT20M"
    with temporary_settings({PREFECT_EVENTS_EXPIRED_BUCKET_BUFFER: "PT20M"}):  # Prefect reads it
        assert PREFECT_EVENTS_EXPIRED_BUCKET_BUFFER.value() == timedelta(minutes=20)
    assert children.server(asked({name: "PT1H"})).environment[name] == "PT1H"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:4300/api"),
        ("192.0.2.7", "http://192.0.2.7:4300/api"),
        ("0.0.0.0", f"http://{socket.gethostname()}:4300/api"),  # noqa: S104
    ],
)
def test_the_page_finds_its_api(host, expected):
    server = children.server(asked(host=host, port=4300))
    assert server.environment["PREFECT_SERVER_UI_API_URL"] == expected
    chosen = {"PREFECT_UI_API_URL": "https://proxy/api"}
    assert "PREFECT_SERVER_UI_API_URL" not in children.server(asked(chosen)).environment


def test_nothing_but_the_server_listens_beyond_this_machine():
    server, scheduler, workers, _ = all_of(asked(host="0.0.0.0", dask=2))  # noqa: S104
    assert "0.0.0.0" in server.command  # noqa: S104
    for one in (scheduler, workers):
        words = one.command
        assert words[words.index("--host") + 1] == "127.0.0.1"
        assert words[words.index("--dashboard-address") + 1].startswith("127.0.0.1:")


def test_what_does_not_answer_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    request = StackRequest.of(port=port, environment={}, dask=1)
    assert not any(one.is_ready(time.time()) for one in all_of(request))
