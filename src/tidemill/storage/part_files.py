"""Whether the files of committed parts are still those that were written.

Disks rot, and files are replaced by others of the same size. The marker of a part holds the SHA-256
of its file, taken while it was written, so reading it once tells.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tidemill.model.digests import checksum
from tidemill.model.logs import engine_log
from tidemill.storage.layout import KeyLayout
from tidemill.storage.markers import Marker, discard_markers
from tidemill.storage.stores import Store
from tidemill.storage.transient import translated

__all__ = ["OTHER", "discard_damaged", "file_fault"]

log = engine_log(__name__)

#: What is said of a file with another SHA-256.
OTHER = "is not the file that was written (another SHA-256)"

#: Bytes per read: one request of an object store.
_BLOCK_BYTES = 8 * 2**20
#: Threads that read files of an object store; on disk, one per core.
_READERS = 8
#: Bytes above which the log says how long it took.
_WORTH_A_LINE = 2**30


def file_fault(store: Store, path: str, sha256: str) -> str:
    """What is wrong with a file, for a message; "" if it is the one with this checksum.

    Examples
    --------
    >>> import tempfile
    >>> store = Store.open(tempfile.mkdtemp())
    >>> store.write("a", b"")
    >>> file_fault(store, "a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    ''
    >>> file_fault(store, "b", "")
    'is missing'
    """
    try:
        with translated(store.url_of(path)), store.open_input(path) as file:
            return "" if checksum(file, _BLOCK_BYTES) == sha256 else OTHER
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return f"cannot be read ({error})"


def discard_damaged(layout: KeyLayout, markers: Iterable[Marker]) -> list[int]:
    """Discard the parts whose files are not those that were written; their indexes.

    They count as missing from then on. Only the lease's owner may do this. The files stay, since a
    table may show them already.
    """
    began = time.perf_counter()
    found = list(markers)
    with ThreadPoolExecutor(_threads(layout.data), "tidemill-checksums") as pool:
        faults = list(pool.map(lambda marker: _fault(layout, marker), found))
    size, seconds = sum(marker.bytes for marker in found), time.perf_counter() - began
    if size >= _WORTH_A_LINE:
        log.info("compared %d parts, %.1f GB, in %.1f s", len(found), size / 1e9, seconds)
    damaged = {one.index: fault for one, fault in zip(found, faults, strict=True) if fault}
    for index, fault in damaged.items():
        log.warning("part %d is calculated again: %s", index + 1, fault)
    if damaged:
        discard_markers(layout, damaged)
    return sorted(damaged)


def _threads(store: Store) -> int:
    return min(os.cpu_count() or 1, _READERS) if store.is_local else _READERS


def _fault(layout: KeyLayout, marker: Marker) -> str:
    """What is wrong with the files of one part; "" if nothing is."""
    files = (
        (layout.data, marker.path, marker.checksum),
        (layout.state, marker.coverage, marker.coverage_checksum),
    )
    for store, path, sha256 in files:
        if path and sha256 and (fault := file_fault(store, path, sha256)):
            return f"{store.url_of(path)} {fault}"
    return ""
