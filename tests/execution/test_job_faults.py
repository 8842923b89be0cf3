"""Object storage that misbehaves: nothing is lost, and a rerun completes what was begun."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pandas as pd
import pytest

import tidemill
from tidemill.execution.records import RunSummary

from ..support import faulty_s3, s3
from ..support.faulty_s3 import FaultyS3
from ..support.series import ROLES, extract, wide, write

FRAME = wide(6, 20, "x")
BOUND = 120.0  # seconds until a run has recovered or said what is wrong


@pytest.fixture(scope="module")
def faulty() -> Iterator[tuple[FaultyS3, object]]:
    with s3.server() as (url, client), faulty_s3.proxy(url) as proxy:
        yield proxy, client


@pytest.fixture
def storage(faulty, monkeypatch) -> FaultyS3:
    """The proxy, well-behaved so far; storage options reach the server through it."""
    faulty[0].heal()
    for variable, value in s3.values(faulty[0].url).items():
        monkeypatch.setenv(variable, value)
    return faulty[0]


class Sink:
    """A table on the storage, with an earlier result, and the input of the next one."""

    def __init__(self, folder, client) -> None:
        self.prefix, self.client = folder.name, client
        self.url = f"s3://{s3.BUCKET}/{folder.name}/matrix"
        self.input = folder / "a.parquet"
        write(FRAME, self.input, 40)
        self.extract()
        self.before = self.read()
        write(FRAME.assign(x=FRAME["x"] * 2), self.input, 40)

    def extract(self) -> RunSummary:
        return extract(self.input, self.url, storage_options=s3.OPTIONS, part_bytes=1000, **ROLES)

    def read(self) -> pd.DataFrame:
        return tidemill.read_matrix(self.url, storage_options=s3.OPTIONS)

    def listing(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=s3.BUCKET, Prefix=f"{self.prefix}/"
        )
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def uploads(self) -> list[object]:
        return self.client.list_multipart_uploads(Bucket=s3.BUCKET).get("Uploads", [])


@pytest.fixture
def sink(storage, faulty, tmp_path) -> Sink:
    return Sink(tmp_path, faulty[1])


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> pd.DataFrame:
    """The next result, made on a disk."""
    folder = tmp_path_factory.mktemp("disk")
    path = write(FRAME.assign(x=FRAME["x"] * 2), folder / "a.parquet", 40)
    extract(path, folder / "matrix", part_bytes=1000, **ROLES)
    return tidemill.read_matrix(folder / "matrix")


def _check_complete(sink: Sink, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(sink.read(), expected, check_exact=True)
    left = [key for key in sink.listing() if "/attempts/" in key or "/work/" in key]
    assert not left
    assert not sink.uploads()
    assert len([key for key in sink.listing() if "/part-" in key]) == 6  # of both versions


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("500", "", ""),
        ("503", "PUT", ""),
        ("cut", "PUT", ""),
        ("cut", "GET", "list-type"),
        ("lost", "PUT", "/parts/"),
        ("lost", "PUT", "/lease/"),
        ("lost", "PUT", "_delta_log"),
        ("stale", "GET", "list-type"),
    ],
)
def test_a_fault_that_passes_is_not_noticed(kind, method, path, sink, storage, expected):
    fault = storage.add(kind, method, path, times=2 if kind == "lost" else 3)
    summary = sink.extract()
    assert fault.seen >= 1
    assert summary.parts["calculated"] == 3
    storage.heal()
    _check_complete(sink, expected)


def test_a_listing_that_always_lags_behind_loses_no_part(sink, storage, expected):
    fault = storage.add("stale", "GET", r"list-type(?!.*_delta_log)")
    sink.extract()
    assert fault.seen > 3
    storage.heal()
    pd.testing.assert_frame_equal(sink.read(), expected, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "reused"),
    [("/part-", 0), ("/parts/", 0), ("_delta_log/0", 3), ("/published.json", 3), ("/records/", 3)],
    ids=["parts", "markers", "publish", "pointer", "record"],
)
def test_a_fault_that_lasts_is_one_sentence_and_a_rerun_completes(
    path, reused, sink, storage, expected
):
    storage.add("503", "PUT", path)
    began = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        sink.extract()
    assert time.monotonic() - began < BOUND
    _check_sentence(str(caught.value), storage, sink)
    assert "503 Service Unavailable" in str(caught.value)
    storage.heal()
    published = path in ("/published.json", "/records/")
    shown = expected if published else sink.before
    pd.testing.assert_frame_equal(sink.read(), shown, check_exact=True)
    again = sink.extract()
    assert again.parts["reused"] == reused
    _check_complete(sink, expected)


def _check_sentence(said: str, storage: FaultyS3, sink: Sink) -> None:
    assert said.startswith(f"the storage at {storage.url.removeprefix('http://')} gave no good")
    assert sink.url in said
    assert said.endswith("finished parts are kept, so run again once it answers")
    assert "\n" not in said
    assert "\x1b" not in said


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/parts/", "/lease/"])
def test_one_request_without_an_answer_ends_no_run(path, sink, storage, expected):
    fault = storage.add("silent", "PUT", path, times=1, seconds=300)
    began = time.monotonic()
    sink.extract()
    assert fault.seen == 1
    assert time.monotonic() - began < BOUND
    _check_complete(sink, expected)


@pytest.mark.slow
def test_a_storage_that_falls_silent_at_publishing_is_reported(sink, storage, expected):
    storage.add("silent", "PUT", "_delta_log", seconds=300)
    began = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        sink.extract()
    assert time.monotonic() - began < BOUND
    _check_sentence(str(caught.value), storage, sink)
    storage.heal()
    pd.testing.assert_frame_equal(sink.read(), sink.before, check_exact=True)
    sink.extract()
    _check_complete(sink, expected)
