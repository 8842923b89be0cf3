"""Publishing: readers see the old matrix or the new one, never anything in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Self

import pyarrow as pa

from tidemill.model.ids import id_fields
from tidemill.storage.delta import Commit, commit_files
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.sealed import seal, unseal
from tidemill.storage.single_file import write_file

__all__ = [
    "Published",
    "drop_parts",
    "last_published",
    "publish",
    "published_id_types",
    "read_pointer",
]


@dataclass(frozen=True, slots=True)
class Published:
    """What a sink shows."""

    run_id: str  # of the run that published it
    result_key: str
    digest: str  # of the content
    rows: int
    version: str  # Delta: the table's version number; file: its version in the storage
    id_type: str | list[str]  # Arrow type, or those of several id columns
    published: float  # seconds since the epoch, by the publisher's clock
    interval: str | None = None
    is_new: bool = True  # False: the sink already showed exactly this, nothing was written
    size: int = 0  # bytes of a sink that is one file; 0: not known

    def to_json(self) -> bytes:
        """The pointer as its file holds it."""
        return seal(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :meth:`to_json` wrote; ``ValueError`` if it is damaged."""
        try:
            return cls(**unseal(data))
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
    check: Callable[[], None] | None = None,
    interval: str | None = None,
) -> Published:
    """Make the sink show exactly these parts.

    A Delta table takes the part files in one transaction. A single file is replaced by one with
    their rows; its parts stay until the run is recorded, then :func:`drop_parts` removes them.

    Parameters
    ----------
    layout, key
        Where the files of the sink and of the result lie.
    markers
        The parts of the result.
    schema
        Schema of the part files: the id first, then float64 features.
    run_id, digest
        Recorded with what is published.
    check
        Called right before the result becomes visible, as ``lease.check``; an error that it raises
        prevents publishing.
    interval
        Delta only: replace the rows of this interval and keep those of others.

    Raises
    ------
    SinkError
        If another process wrote the sink in the meantime. Nothing was changed.
    """
    found = list(markers)
    if layout.kind == "delta":
        properties = {"run_id": run_id, "result_key": key.result_key, "digest": digest}
        commit = commit_files(layout, found, schema, properties, interval=interval, check=check)
    else:
        commit = _replace_file(layout, key, found, schema, interval=interval, check=check)
    published = Published(
        run_id=run_id,
        result_key=key.result_key,
        digest=digest,
        rows=sum(marker.rows for marker in found),
        version=str(commit.version),
        id_type=_id_type(schema),
        published=time.time(),
        interval=interval,
        is_new=commit.is_new,
        size=layout.home.info(layout.name).size if layout.kind == "file" else 0,
    )
    layout.state.write(layout.published, published.to_json())
    return published


def _replace_file(
    layout: SinkLayout,
    key: KeyLayout,
    markers: Iterable[Marker],
    schema: pa.Schema,
    *,
    interval: str | None,
    check: Callable[[], None] | None,
) -> Commit:
    if interval is not None:
        raise ValueError(f"a file cannot hold intervals; {layout.url} must be a folder for that")
    write_file(layout, key, markers, schema, check)
    return Commit(layout.home.info(layout.name).version, is_new=True)


def _id_type(schema: pa.Schema) -> str | list[str]:
    types = [str(field.type) for field in id_fields(schema)]
    return types[0] if len(types) == 1 else types


def drop_parts(layout: SinkLayout, key: KeyLayout) -> None:
    """Delete the parts of a file sink, as its file holds their rows; markers first."""
    if layout.kind == "file":
        key.state.delete_all(key.markers)
        key.data.delete_all()


def published_id_types(layout: SinkLayout) -> tuple[str, ...]:
    """The types of the id columns of what was published last; empty if nothing was."""
    try:
        found = Published.from_json(layout.state.read(layout.published)).id_type
    except (FileNotFoundError, ValueError):
        return ()
    return (found,) if isinstance(found, str) else tuple(found)


def read_pointer(layout: SinkLayout) -> Published | None:
    """What tidemill published last; None if nothing was, ``ValueError`` if that is damaged."""
    try:
        return Published.from_json(layout.state.read(layout.published))
    except FileNotFoundError:
        return None


def last_published(layout: SinkLayout) -> Published | None:
    """What tidemill published last; None if nothing, or if the file has changed since.

    A run with the same ``result_key`` as a file sink has nothing to do: the parts are gone, but
    the file holds their rows.
    """
    try:
        found = Published.from_json(layout.state.read(layout.published))
        if layout.kind == "file" and layout.home.info(layout.name).version != found.version:
            return None
    except (FileNotFoundError, ValueError):
        return None
    return found
