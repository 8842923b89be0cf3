"""Values of storage options are nowhere in what runs leave, whatever the storage answers."""

from __future__ import annotations

import base64
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import tidemill
from tidemill.errors import TidemillError
from tidemill.flows.extract import extract
from tidemill.reports.markdown import extraction_page

from ..support import faulty_s3, s3
from ..support.api import named_run
from ..support.faulty_s3 import FaultyS3
from ..support.series import ROLES, wide, write

OPTIONS = {**s3.OPTIONS, "aws_session_token": "TEST_TOKEN"}
SECRETS = ("TEST_KEY_ID", "TEST_SECRET", "TEST_TOKEN")


@pytest.fixture(scope="module")
def storage() -> Iterator[tuple[FaultyS3, object]]:
    with s3.server() as (url, client), faulty_s3.proxy(url) as proxy:
        yield proxy, client


@pytest.fixture
def secrets(storage, monkeypatch) -> dict[str, str]:
    """Values that nothing else holds, in the environment."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    found = {name: f"{name[5:7]}{uuid.uuid4().hex}" for name in SECRETS}
    for name, value in {**s3.values(storage[0].url), **found}.items():
        monkeypatch.setenv(name, value)
    return found


def _go(source: Path, sink: str, cluster: str) -> dict:
    options = {"settings": "minimal", "storage_options": OPTIONS, "part_bytes": 1000}
    runs, summary = named_run(
        extract, source=str(source), sink=sink, cluster=cluster, **ROLES, **options
    )
    runs.wait_for_log("Finished in state")
    return summary


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["none", "threads:2", "processes:2"])
def test_no_secret_is_in_what_runs_leave(
    cluster, prefect_server, storage, secrets, tmp_path, monkeypatch, capfd, caplog
):
    """A run through passing faults, one that is denied in mid-run, and one that goes on."""
    proxy, client = storage
    proxy.heal()
    monkeypatch.chdir(tmp_path)
    caplog.set_level("DEBUG", "tidemill")
    frame = wide(6, 20, "x")
    source = write(frame, tmp_path / "a.parquet", 40)
    sink = f"s3://{s3.BUCKET}/{uuid.uuid4().hex}/matrix"
    errors = []
    for path in ("/part-", "_delta_log/0")[: 2 if cluster == "none" else 1]:
        denied = proxy.add("denied", "PUT", path)
        with pytest.raises((OSError, TidemillError), match="SignatureDoesNotMatch") as caught:
            _go(source, sink, cluster)
        assert denied.seen
        errors.append(repr([caught.value, caught.value.__cause__]))
        proxy.heal()
    passing = [proxy.add(kind, "PUT", times=2) for kind in ("500", "503", "cut")]
    summary = _go(source, sink, cluster)
    assert all(fault.seen for fault in passing)
    proxy.heal()
    expected = tidemill.extract_features(frame, "minimal", **ROLES)
    matrix = tidemill.read_matrix(sink, storage_options=OPTIONS)
    pd.testing.assert_frame_equal(matrix, expected.rename_axis("id"), check_exact=True)
    said = capfd.readouterr()
    found = {
        "output": (said.out + said.err).encode(),
        "log": caplog.text.encode(),
        "errors": "".join(errors).encode(),
        "page": extraction_page(summary).encode(),
        **dict(_objects(client, sink)),
        **dict(_files(tmp_path)),
        **dict(_files(Path(tempfile.gettempdir()).parent)),  # Prefect's home and database as well
    }
    assert any("prefect" in name and name.endswith(".db") for name in found)
    assert any("/records/" in name for name in found)
    values = [form.encode() for value in secrets.values() for form in (value, value.encode().hex())]
    leaky = {name: _around(data, values) for name, data in found.items()}
    assert {name: text for name, text in leaky.items() if text} == {}


def _around(data: bytes, values: list[bytes]) -> bytes:
    """Where one of them stands, with what is around it; empty if none does."""
    for text in (data, *_decoded(data)):
        for value in values:
            if (place := text.find(value)) >= 0:
                return text[max(place - 600, 0) : place + 100]
    return b""


def _decoded(data: bytes) -> Iterator[bytes]:
    """What is written in base64, as pickled results are."""
    for run in re.findall(rb"(?:[A-Za-z0-9+/=]|\\n|\n){60,}", data):
        text = re.sub(rb"\\n|\n|=", b"", run)
        yield base64.b64decode(text[: len(text) // 4 * 4])


def _objects(client, sink: str) -> Iterator[tuple[str, bytes]]:
    prefix = sink.partition(f"{s3.BUCKET}/")[2]
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=s3.BUCKET, Prefix=prefix)
    for key in [one["Key"] for page in pages for one in page.get("Contents", ())]:
        yield key, client.get_object(Bucket=s3.BUCKET, Key=key)["Body"].read()


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            try:
                yield str(path), path.read_bytes()
            except FileNotFoundError:
                continue
