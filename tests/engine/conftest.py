"""The two doors to the engine, the command line, and an S3 server on this machine."""

from __future__ import annotations

import re
import socket
import sys
import uuid
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tidemill import cli
from tidemill.calculators import registry

from ..support.probes import Probe, probing

#: Storage option to the environment variable that holds it.
S3_OPTIONS = {
    "aws_access_key_id": "TEST_KEY_ID",
    "aws_secret_access_key": "TEST_SECRET",
    "aws_region": "TEST_REGION",
    "aws_endpoint_url": "TEST_ENDPOINT",
    "aws_allow_http": "TEST_ALLOW_HTTP",
}
S3_SECRET = "do-not-write-me-down"  # noqa: S105
BUCKET = "engine"


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Run the command ``tidemill`` in this process; its exit code and standard error."""
    for name in ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "1" if name == "DO_NOT_TRACK" else "CRITICAL")
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str]:
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
    before = dict(registry._known)
    yield
    registry._known.clear()
    registry._known.update(before)


@pytest.fixture
def probe(tmp_path) -> Iterator[Probe]:
    """A calculator that counts its calls and does what the test says."""
    with probing(tmp_path) as probe:
        yield probe


@pytest.fixture(scope="session")
def engine_s3() -> Iterator[tuple[str, object]]:
    """URL of an S3 server with an empty bucket, and a client for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key=S3_SECRET,
    )
    client.create_bucket(Bucket=BUCKET)
    yield url, client
    client.close()
    server.stop()


@pytest.fixture
def s3(engine_s3, monkeypatch) -> tuple[str, dict[str, str], object]:
    """A prefix that nobody has used, storage options that name set variables, and a client."""
    url, client = engine_s3
    values = ("key", S3_SECRET, "us-east-1", url, "true")
    for variable, value in zip(S3_OPTIONS.values(), values, strict=True):
        monkeypatch.setenv(variable, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}", S3_OPTIONS, client
