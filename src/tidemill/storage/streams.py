"""Files that become visible only once complete, and random access to remote objects."""

from __future__ import annotations

import io
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import obstore
from obstore.store import ObjectStore

__all__ = [
    "RangeReader",
    "drop_staged",
    "drop_unfinished",
    "is_staged",
    "local_output",
    "never_named",
    "remote_output",
    "sync_file",
]

#: Bytes per request of an upload; smaller objects take one request.
UPLOAD_BYTES = 8 * 1024 * 1024
#: Bytes per request of a read.
DOWNLOAD_BYTES = 8 * 1024 * 1024
#: No small file takes as long to write.
STAGED_SECONDS = 3600.0


class RangeReader(io.RawIOBase):
    """Random access to one remote object by range requests."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._store = store
        self._path = path
        self._size = int(obstore.head(store, path)["size"])
        self._position = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether any offset can be reached: always."""
        return True

    def tell(self) -> int:
        """Offset of the next byte."""
        return self._position

    def size(self) -> int:
        """Size of the object in bytes."""
        return self._size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Read ``size`` bytes, fewer only at the end."""
        left = max(self._size - self._position, 0)
        length = left if size is None or size < 0 else min(size, left)
        if length == 0:
            return b""
        end = self._position + length
        pieces = []
        while self._position < end:  # a request for all of it may take longer than requests may
            wanted = min(DOWNLOAD_BYTES, end - self._position)
            piece = bytes(
                obstore.get_range(self._store, self._path, start=self._position, length=wanted)
            )
            pieces.append(piece)
            self._position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readall(self) -> bytes:
        """Read all remaining bytes."""
        return self.read()

    def readinto(self, buffer: object) -> int:
        """Read into ``buffer`` and return the number of bytes."""
        view = memoryview(cast("bytearray", buffer)).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


@contextmanager
def local_output(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name only once it is complete and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name[:180]}.{uuid.uuid4().hex[:12]}")
    try:
        with hidden.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
        _sync(path.parent)
    finally:
        hidden.unlink(missing_ok=True)


def drop_unfinished(folder: Path, pattern: str) -> None:
    """Delete unfinished files of a pattern that killed processes left behind."""
    for hidden in _hidden(folder.glob, pattern):
        hidden.unlink(missing_ok=True)


def drop_staged(folder: Path, *, below: bool = True) -> None:
    """Delete what killed processes left of small files: obstore writes them as ``name#1`` first.

    In a folder, or in all below it too.
    """
    for path in _staged(folder, below=below):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STAGED_SECONDS:
                path.unlink()


def never_named(folder: Path, pattern: str, *, below: bool) -> list[Path]:
    """Files that their writers had not finished: of a pattern in a folder, or all below it."""
    hidden = _hidden(folder.rglob if below else folder.glob, pattern)
    return [*hidden, *(_staged(folder, below=True) if below else ())]


def _hidden(glob: Callable[[str], Iterable[Path]], pattern: str) -> Iterator[Path]:
    """Files as `local_output` names them before they are whole."""
    yield from glob(f".{pattern}.{'[0-9a-f]' * 12}")


def is_staged(name: str) -> bool:
    """Whether obstore names a file so before it is whole.

    Examples
    --------
    >>> is_staged("a.json#1"), is_staged("a#b.json")
    (True, False)
    """
    return "#" in name and name.rpartition("#")[2].isdigit()


def _staged(folder: Path, *, below: bool) -> Iterator[Path]:
    """Files that obstore has not finished; told by their names alone."""
    for place, folders, names in os.walk(folder):
        staged = (Path(place, name) for name in names if is_staged(name))
        yield from (path for path in staged if path.is_file())
        if not below:
            folders.clear()


def sync_file(path: Path) -> None:
    """Bring a file's content and its name to disk: after a power failure both are there."""
    for one in (path, path.parent):
        _sync(one)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def remote_output(store: ObjectStore, path: str) -> Iterator[BinaryIO]:
    """A multipart upload; an error in the block aborts it, and nothing becomes visible."""
    upload = _Upload(store, path)
    try:
        yield cast("BinaryIO", upload)
    except BaseException:
        upload.abort()
        raise
    upload.finish()


class _Upload(io.RawIOBase):
    """Collects writes into parts, which a thread sends while the caller continues.

    obstore's own writer cannot abort a multipart upload, ``put`` of an iterator does.
    """

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._store = store
        self._path = path
        self._buffer = bytearray()
        self._parts: queue.Queue[bytes | None] = queue.Queue(maxsize=2)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._aborted = False
        self._ended = False
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: object) -> int:
        view = memoryview(cast("bytes", data)).cast("B")
        self._buffer += view
        self._position += len(view)
        if len(self._buffer) >= UPLOAD_BYTES:
            self._send()
        return len(view)

    def finish(self) -> None:
        """Complete the upload, or raise its error."""
        if self._thread is None:
            obstore.put(self._store, self._path, bytes(self._buffer), use_multipart=False)
            return
        if self._buffer:
            self._send()
        self._parts.put(None)
        self._thread.join()
        self._raise()

    def abort(self) -> None:
        """Abort the upload."""
        self._aborted = True
        if self._thread is not None:
            self._parts.put(None)
            self._thread.join()

    def _send(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tidemill-upload", daemon=True)
            self._thread.start()
        self._raise()
        self._parts.put(bytes(self._buffer))
        self._buffer.clear()

    def _run(self) -> None:
        try:
            obstore.put(self._store, self._path, self._iterate(), chunk_size=UPLOAD_BYTES)
        except BaseException as error:  # noqa: BLE001  raised again in the writer's thread
            self._error = error
            while not self._ended:  # let the writer continue until it sees the error
                self._next()

    def _iterate(self) -> Iterator[bytes]:
        while (part := self._next()) is not None:
            yield part
        if self._aborted:
            raise InterruptedError("the upload was aborted")

    def _next(self) -> bytes | None:
        """The next part; None, once, at the end."""
        part = self._parts.get()
        self._ended = part is None
        return part

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
