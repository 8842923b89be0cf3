"""The whole job on object storage: source, sink and spill."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import (
    CalculationError,
    DataError,
    SinkError,
    SourceChangedError,
    SourceError,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.s3 import BUCKET, SECRET
from ..support.series import ROLES, extract, wide, write

SINKS = ["matrix", "matrix.parquet", "matrix.csv"]
#: Two ids in each of three row groups, and part_bytes that make each a part.
FRAME, GROUP_ROWS, PART_BYTES = wide(6, 20, "x"), 40, 1000


@dataclass(frozen=True)
class Bucket:
    """A prefix of the bucket and what lies there."""

    url: str
    options: dict[str, str]
    client: Any

    @property
    def prefix(self) -> str:
        return self.url.partition(f"{BUCKET}/")[2]

    def listing(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=self.prefix
        )
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def put(self, name: str, frame: pd.DataFrame) -> None:
        buffer = io.BytesIO()
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table, buffer, row_group_size=GROUP_ROWS)
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}", Body=buffer.getvalue())

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def extract(self, sink: str, settings: Any = "minimal", **arguments: Any) -> Any:
        return extract(
            f"{self.url}/in", f"{self.url}/{sink}", settings, storage_options=self.options,
            part_bytes=PART_BYTES, **{**ROLES, **arguments},
        )  # fmt: skip

    def read(self, sink: str) -> pd.DataFrame:
        return tidemill.read_matrix(f"{self.url}/{sink}", storage_options=self.options)


@pytest.fixture
def bucket(s3, own_calculators) -> Bucket:
    return Bucket(*s3)


@pytest.fixture(scope="module", params=["clustered", "in time order"])
def ordered(request) -> pd.DataFrame:
    return FRAME if request.param == "clustered" else FRAME.sort_values(["time", "id"])


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory) -> Iterator[tuple[str, pd.DataFrame]]:
    """Digest and matrix of the same input in a folder."""
    folder = tmp_path_factory.mktemp("disk")
    summary = extract(write(FRAME, folder / "a.parquet"), folder / "matrix")
    return summary.digest, tidemill.read_matrix(folder / "matrix")


@pytest.mark.parametrize("sink", SINKS)
def test_the_job_gives_what_it_gives_on_disk(sink, ordered, bucket, on_disk):
    bucket.put("in/a.parquet", ordered[:60])
    bucket.put("in/b.parquet", ordered[60:])
    summary = bucket.extract(sink)
    digest, matrix = on_disk
    assert summary.digest == digest
    assert summary.parts["total"] >= 3
    pd.testing.assert_frame_equal(bucket.read(sink), matrix, check_exact=sink != "matrix.csv")
    again = bucket.extract(sink)
    assert (again.digest, again.parts["calculated"]) == (digest, 0)
    assert not [key for key in bucket.listing() if "/work/" in key or "/attempts/" in key]


@pytest.mark.parametrize("sink", SINKS)
def test_no_secret_is_written_anywhere(sink, ordered, bucket):
    bucket.put("in/a.parquet", ordered)
    bucket.extract(sink)
    with pytest.raises(CalculationError):
        bucket.extract(sink, failing_on(*FRAME["x"]))
    keys = bucket.listing()
    assert any(key.endswith("plan.json") for key in keys)
    assert any("/records/" in key for key in keys)
    leaky = [key for key in keys if SECRET.encode() in bucket.get(key)]
    assert not leaky
    (plan, *_) = [bucket.get(key).decode() for key in keys if key.endswith("plan.json")]
    assert '"aws_secret_access_key":"TEST_SECRET"' in plan


def failing_on(*values: float) -> dict[str, None]:
    """Settings with a calculator that fails on series that start with one of these values."""

    @calculator(version="1")
    def failing(series):
        if series[0] in values:
            raise ValueError("as planned")
        return series[0]

    return {"failing": None}


@pytest.fixture
def numbered() -> pd.DataFrame:
    """Series whose first value is their id."""
    frame = FRAME.copy()
    frame.loc[frame["time"] == 0, "x"] = frame["id"].astype(float)
    return frame


@pytest.mark.parametrize("order", ["id", "time"])
def test_an_interrupted_run_goes_on(order, numbered, bucket):
    bucket.put("in/a.parquet", numbered.sort_values([order, "id" if order == "time" else "time"]))
    with pytest.raises(CalculationError, match="as planned"):
        bucket.extract("matrix", failing_on(5.0))
    with pytest.raises(SinkError, match="a run has started there but has not finished"):
        bucket.read("matrix")
    markers = [key for key in bucket.listing() if "/parts/" in key]
    summary = bucket.extract("matrix", failing_on())
    assert summary.parts["reused"] == len(markers)
    assert summary.parts["calculated"] == summary.parts["total"] - len(markers) > 0
    assert list(bucket.read("matrix")["x__failing"]) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["marker", "part", "bytes of a part"])
def test_what_was_deleted_or_replaced_is_calculated_again(kind, ordered, bucket):
    bucket.put("in/a.parquet", ordered)
    first = bucket.extract("matrix")
    wanted = "/parts/000001-" if kind == "marker" else "-000001-"
    (key, *_) = [key for key in bucket.listing() if wanted in key]
    if kind == "bytes of a part":
        data = bucket.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        bucket.client.put_object(Bucket=BUCKET, Key=key, Body=data[::-1])
    else:
        bucket.client.delete_object(Bucket=BUCKET, Key=key)
    again = bucket.extract("matrix")
    assert again.parts["calculated"] == 1
    assert again.digest == first.digest
    assert len(bucket.read("matrix")) == 6


def test_bad_data_leave_the_earlier_result(bucket):
    bucket.put("in/a.parquet", FRAME)
    bucket.extract("matrix")
    before, shown = bucket.read("matrix"), data_of(bucket)
    bucket.put("in/a.parquet", FRAME.assign(x=float("nan")))
    with pytest.raises(DataError, match=rf"{bucket.url}/in.*'x' holds .* on_nan"):
        bucket.extract("matrix")
    assert data_of(bucket) == shown
    pd.testing.assert_frame_equal(bucket.read("matrix"), before)


def data_of(bucket: Bucket) -> dict[str, bytes]:
    """All objects of the table, but tidemill's own state."""
    keys = [key for key in bucket.listing() if "/matrix/" in key and "_tidemill" not in key]
    return {key: bucket.get(key) for key in keys}


def test_an_input_that_changes_in_mid_run(bucket):
    bucket.put("in/a.parquet", FRAME)

    @calculator(version="1")
    def changing(values):
        bucket.put("in/a.parquet", FRAME.assign(x=FRAME["x"] + 1))
        return 0.0

    with pytest.raises(SourceChangedError, match=r"a\.parquet"):
        bucket.extract("matrix", {"changing": None})
    with pytest.raises(SinkError, match="nothing is published"):
        bucket.read("matrix")


def test_a_folder_as_source_and_for_the_spill(bucket, on_disk, tmp_path):
    """Input and spill on a disk that all workers reach, the sink on object storage."""
    source = write(FRAME.sort_values("time"), tmp_path / "a.parquet", GROUP_ROWS)
    summary = extract(
        source, f"{bucket.url}/matrix", storage_options=bucket.options, part_bytes=PART_BYTES,
        work_dir=tmp_path / "work", **ROLES,
    )  # fmt: skip
    assert summary.digest == on_disk[0]
    assert not list((tmp_path / "work").rglob("*.arrow"))


def test_the_record_says_what_was_done(bucket, ordered):
    bucket.put("in/a.parquet", ordered)
    summary = bucket.extract("matrix")
    (record,) = history(SinkLayout.of(f"{bucket.url}/matrix", bucket.options))
    assert (record.state, record.rows, record.digest) == ("finished", 6, summary.digest)


def test_a_bucket_that_is_not_there(bucket):
    bucket.put("in/a.parquet", FRAME)
    with pytest.raises(SinkError, match="check that the bucket exists"):
        extract(f"{bucket.url}/in", "s3://absent/matrix", storage_options=bucket.options, **ROLES)


@pytest.mark.parametrize(
    ("source", "sink", "error", "says"),
    [
        ("in", "taken", SinkError, r"holds something else \(notes\.txt\)"),
        ("in", "in", SinkError, "is the input itself"),
        ("in", "in/matrix", SinkError, "lies inside the input"),
        ("in/*.parquet", "in/matrix.parquet", SinkError, "is matched by the input"),
        ("absent", "matrix", SourceError, "no input files at 's3://"),
        ("damaged", "matrix", SourceError, r"a\.parquet cannot be read .* damaged or incomplete"),
    ],
)
def test_places_that_cannot_be_used(source, sink, error, says, bucket):
    bucket.put("in/a.parquet", FRAME)
    bucket.client.put_object(Bucket=BUCKET, Key=f"{bucket.prefix}/taken/notes.txt", Body=b"mine")
    bucket.client.put_object(Bucket=BUCKET, Key=f"{bucket.prefix}/damaged/a.parquet", Body=b"PAR1")
    before = {key: bucket.get(key) for key in bucket.listing()}
    with pytest.raises(error, match=says):
        extract(
            f"{bucket.url}/{source}",
            f"{bucket.url}/{sink}",
            storage_options=bucket.options,
            **ROLES,
        )
    assert {key: bucket.get(key) for key in bucket.listing()} == before


@pytest.mark.parametrize(
    ("source", "says"),
    [("s3://absent/in", "bucket does not exist"), ("s3://engine/in", "127.0.0.1:1")],
    ids=["bucket", "server"],
)
def test_storage_that_is_not_there_is_one_line(
    source, says, bucket, command, monkeypatch, tmp_path
):
    if "127" in says:
        monkeypatch.setenv("TEST_ENDPOINT", "http://127.0.0.1:1")
    options = [f"--storage-option={name}={value}" for name, value in bucket.options.items()]
    code, said = command(
        "extract", source, tmp_path / "matrix", "--column-id=id", "--cluster=none", *options
    )
    assert code == 1
    assert says in said.splitlines()[-1]
