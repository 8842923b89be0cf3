"""A folder and an S3 server on this machine; most tests run on both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.model.digests import HashingFile, row_sum
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.stores import Store


@pytest.fixture
def s3_options(s3) -> dict[str, str]:
    """Options that name environment variables, which are set for this test."""
    return s3[1]


@pytest.fixture(params=["disk", "s3"])
def place(request, tmp_path) -> tuple[str, dict[str, str]]:
    """A folder or prefix nobody has used, and its storage options."""
    if request.param == "disk":
        return str(tmp_path / "place"), {}
    url, options, _ = request.getfixturevalue("s3")
    return url, options


@pytest.fixture
def store(place) -> Store:
    return Store.open(*place)


@pytest.fixture
def layout(place) -> SinkLayout:
    """The layout of a Delta sink."""
    return SinkLayout.of(f"{place[0]}/matrix", place[1])


@pytest.fixture
def folder(layout) -> Store:
    """The folder of a sink's lease."""
    return layout.lease


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
                table = pa.table([own, *values[rows].T], schema=schema)
                pq.write_table(table, file, write_page_checksum=True)
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
