"""An S3 server on this machine, and the storage options that reach it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

#: Storage option to the environment variable that holds it.
OPTIONS = {
    "aws_access_key_id": "TEST_KEY_ID",
    "aws_secret_access_key": "TEST_SECRET",
    "aws_region": "TEST_REGION",
    "aws_endpoint_url": "TEST_ENDPOINT",
    "aws_allow_http": "TEST_ALLOW_HTTP",
}
SECRET = "do-not-write-me-down"  # noqa: S105
BUCKET = "matrices"


def values(url: str) -> dict[str, str]:
    """Return the values of the environment variables for the server at ``url``."""
    given = ("key", SECRET, "us-east-1", url, "true")
    return dict(zip(OPTIONS.values(), given, strict=True))


@contextmanager
def server() -> Iterator[tuple[str, object]]:
    """Run a server with an empty bucket; yield its URL and a client for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    running.start()
    url = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket=BUCKET)
    yield url, client
    client.close()
    running.stop()
