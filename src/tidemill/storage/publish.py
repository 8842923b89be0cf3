"""Publishing: readers see the old matrix or the new one, and never anything between."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Self

import pyarrow as pa

from tidemill.model.ids import id_fields
from tidemill.storage.check_sink import check_sink
from tidemill.storage.delta import commit_files
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.read_matrix import read_matrix
from tidemill.storage.single_file import write_file

__all__ = [
    "Published",
    "check_sink",
    "drop_parts",
    "last_published",
    "publish",
    "publish_delta",
    "publish_file",
    "read_matrix",
]

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Published:
    """What a sink shows."""

    run_id: str  # that published it
    result_key: str
    digest: str  # of the content
    rows: int
    version: str  # Delta: number of the table's version; file: the storage's version of the file
    id_type: str | list[str]  # Arrow type, or those of several id columns
    published: float  # seconds since the epoch, by the publisher's clock
    interval: str | None = None
    is_new: bool = True  # False: the sink showed exactly this already, nothing was written

    def to_json(self) -> bytes:
        """The pointer as its file holds it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :meth:`to_json` wrote; ``ValueError`` if it is damaged."""
        try:
            return cls(**json.loads(data))
        except TypeError as error:
            raise ValueError(f"not a pointer: {data[:80]!r}") from error


def publish(
    layout: SinkLayout,
    key: KeyLayout,
    markers: Iterable[Marker],
    schema: pa.Schema,
    *,
    run_id: str,
    digest: str,
    check: Check | None = None,
    interval: str | None = None,
) -> Published:
    """Let the sink show exactly these parts.

    Parameters
    ----------
    layout, key
        Where the sink's files and those of the result lie.
    markers
        The parts of the result.
    schema
        Schema of the part files: the id first, then float64 features.
    run_id, digest
        Recorded with what is published.
    check
        Called right before the result becomes visible, as ``lease.check``; what it raises
        prevents that.
    interval
        Delta only: replace the rows of this interval and leave those of others.

    Raises
    ------
    SinkError
        If somebody else wrote the sink meanwhile. Nothing was changed.
    """
    function = publish_delta if layout.kind == "delta" else publish_file
    return function(
        layout, key, markers, schema, run_id=run_id, digest=digest, check=check, interval=interval
    )


def publish_delta(
    layout: SinkLayout,
    key: KeyLayout,
    markers: Iterable[Marker],
    schema: pa.Schema,
    *,
    run_id: str,
    digest: str,
    check: Check | None = None,
    interval: str | None = None,
) -> Published:
    """Commit the parts to the Delta table in one transaction; see :func:`publish`."""
    found = list(markers)
    properties = {"run_id": run_id, "result_key": key.result_key, "digest": digest}
    commit = commit_files(layout, found, schema, properties, interval=interval, check=check)
    return _record(
        layout,
        Published(
            run_id=run_id,
            result_key=key.result_key,
            digest=digest,
            rows=sum(marker.rows for marker in found),
            version=str(commit.version),
            id_type=_id_type(schema),
            published=time.time(),
            interval=interval,
            is_new=commit.is_new,
        ),
    )


def publish_file(
    layout: SinkLayout,
    key: KeyLayout,
    markers: Iterable[Marker],
    schema: pa.Schema,
    *,
    run_id: str,
    digest: str,
    check: Check | None = None,
    interval: str | None = None,
) -> Published:
    """Replace the file by one with the parts' rows; see :func:`publish`.

    The parts stay until the run is recorded: :func:`drop_parts` removes them.
    """
    if interval is not None:
        raise ValueError(f"a file cannot hold intervals; {layout.url} must be a folder for that")
    found = list(markers)
    write_file(layout, key, found, schema, check)
    return _record(
        layout,
        Published(
            run_id=run_id,
            result_key=key.result_key,
            digest=digest,
            rows=sum(marker.rows for marker in found),
            version=layout.home.info(layout.name).version,
            id_type=_id_type(schema),
            published=time.time(),
        ),
    )


def _id_type(schema: pa.Schema) -> str | list[str]:
    types = [str(field.type) for field in id_fields(schema)]
    return types[0] if len(types) == 1 else types


def drop_parts(layout: SinkLayout, key: KeyLayout) -> None:
    """Remove the parts of a file sink, whose file holds their rows; markers go first."""
    if layout.kind == "file":
        key.state.delete_all(key.markers)
        key.data.delete_all()


def last_published(layout: SinkLayout) -> Published | None:
    """What tidemill published last; None if nothing, or if a file has been changed since.

    A run whose ``result_key`` equals that of a file sink's has nothing to do: the parts are gone,
    but the file is what they would become.
    """
    try:
        found = Published.from_json(layout.state.read(layout.published))
        if layout.kind == "file" and layout.home.info(layout.name).version != found.version:
            return None
    except (FileNotFoundError, ValueError):
        return None
    return found


def _record(layout: SinkLayout, published: Published) -> Published:
    layout.state.write(layout.published, published.to_json())
    return published
