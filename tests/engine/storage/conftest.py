"""A folder and an S3 server on this machine; most tests run on both."""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from tidemill.digests import HashingFile, row_sum
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.stores import Store

OPTIONS = {
    "aws_access_key_id": "TEST_KEY_ID",
    "aws_secret_access_key": "TEST_SECRET",
    "aws_region": "TEST_REGION",
    "aws_endpoint_url": "TEST_ENDPOINT",
    "aws_allow_http": "TEST_ALLOW_HTTP",
}
BUCKET = "matrices"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="not-a-secret",  # noqa: S106
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()
    yield url
    server.stop()


@pytest.fixture
def s3_options(s3_endpoint, monkeypatch) -> dict[str, str]:
    """Options that name environment variables, which are set for this test."""
    values = ("key", "not-a-secret", "us-east-1", s3_endpoint, "true")
    for variable, value in zip(OPTIONS.values(), values, strict=True):
        monkeypatch.setenv(variable, value)
    return OPTIONS


@pytest.fixture(params=["disk", "s3"])
def place(request, tmp_path) -> tuple[str, dict[str, str]]:
    """A folder or prefix nobody has used, and its storage options."""
    if request.param == "disk":
        return str(tmp_path / "place"), {}
    options = request.getfixturevalue("s3_options")
    return f"s3://{BUCKET}/{uuid.uuid4().hex}", options


@pytest.fixture
def store(place) -> Store:
    return Store.open(*place)


@pytest.fixture
def layout(place) -> SinkLayout:
    """The layout of a Delta sink."""
    return SinkLayout.of(f"{place[0]}/matrix", place[1])


WriteParts = Callable[..., tuple[list[Marker], pa.Schema]]


@pytest.fixture
def write_parts() -> WriteParts:
    """Write a matrix of ``ids`` as parts; their markers (not committed) and schema."""

    def write(
        key: KeyLayout,
        ids: Sequence[Any],
        columns: Sequence[str],
        *,
        id_type: pa.DataType | None = None,
        n_parts: int = 3,
        value: float | None = None,
    ) -> tuple[list[Marker], pa.Schema]:
        array = pa.array(ids, id_type or pa.int64())
        features = [pa.field(name, pa.float64()) for name in columns]
        schema = pa.schema([pa.field("id", array.type), *features])
        shape = (len(ids), len(columns))
        values = np.random.default_rng(7).normal(size=shape)
        if value is not None:
            values = np.full(shape, value)
        markers = []
        for index, rows in enumerate(np.array_split(np.arange(len(ids)), n_parts)):
            if not len(rows):
                continue
            name = key.part(index)
            own = array.take(pa.array(rows))
            with key.data.open_output(name) as target:
                file = HashingFile(target)
                pq.write_table(pa.table([own, *values[rows].T], schema=schema), file)
            markers.append(
                Marker(
                    index,
                    name,
                    rows=len(rows),
                    bytes=file.size,
                    checksum=file.checksum,
                    seconds=0.1,
                    digest=row_sum(own, values[rows], columns).text,
                    lower=_key(own[0]),
                    upper=_key(own[-1]),
                )
            )
        return markers, schema

    return write


def _key(scalar: pa.Scalar) -> Any:
    return int(scalar.value) if pa.types.is_temporal(scalar.type) else scalar.as_py()
