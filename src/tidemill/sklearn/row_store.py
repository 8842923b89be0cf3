"""Rows of features that are kept in a file, each under the digest of its series."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_memory

from tidemill.calculators.registry import identities
from tidemill.calculators.settings import Settings
from tidemill.model.aliases import Floats
from tidemill.model.plan import RESULTS_VERSION

__all__ = ["digests_of", "identity_of", "memory_of", "rows_kept"]

NAME = "tidemill_rows.sqlite"
#: Seconds to wait for another process that writes.
BUSY_SECONDS = 60.0
#: Digests in one question; SQLite takes 32,766.
AT_A_TIME = 10_000


def memory_of(given: Any) -> Any:
    """The joblib.Memory for the parameter ``memory``: a path, one of these, or None.

    Examples
    --------
    >>> memory_of(None).location is None
    True
    """
    return check_memory(os.fspath(given) if isinstance(given, os.PathLike) else given)


def identity_of(settings: Settings) -> str:
    """What else than series and arguments determines features: as text.

    Raises
    ------
    SettingsError
        If the code of a custom calculator cannot be read and it has no version.
    """
    canonical = settings.canonical()
    own = identities(name for features in canonical.values() for name, _ in features)
    return json.dumps([RESULTS_VERSION, canonical, own])


def digests_of(cases: Sequence[Any], times: Sequence[Any] | None, context: str) -> list[bytes]:
    """The digest of each case: of its values, its times, and what is calculated of it.

    Parameters
    ----------
    cases : sequence of float64 arrays
        (values,) or (channels, values).
    times : sequence of arrays, optional
        Of each case.
    context : str
        Settings, kinds and policies.

    Examples
    --------
    >>> a, b = digests_of([np.array([1.0]), np.array([[1.0]])], None, "")
    >>> a == b, len(a)
    (False, 16)
    """
    start = blake2b(context.encode(), digest_size=16)
    found = []
    for place, case in enumerate(cases):
        digest = start.copy()
        for array in (case, None if times is None else times[place]):
            if array is not None:
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        found.append(digest.digest())
    return found


def rows_kept(
    folder: str | Path,
    digests: Sequence[bytes],
    width: int,
    calculate: Callable[[list[int]], Floats],
) -> Floats:
    """The row of each digest: from the store, or calculated and put there.

    Parameters
    ----------
    folder : path
        Where the store lies; made if it does not exist. Several processes may use it at once.
    digests : sequence of bytes
        One for each row; equal ones are calculated once.
    width : int
        Columns of the result.
    calculate : callable
        Rows float64[m, width] of the places that it is given.

    Returns
    -------
    float64[n, width]

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(2):
    ...         rows = rows_kept(folder, [b"a", b"b"], 1, lambda places: np.ones((2, 1)))
    >>> rows.tolist()
    [[1.0], [1.0]]
    """
    place = dict(zip(reversed(digests), reversed(range(len(digests))), strict=True))
    known: dict[bytes, bytes] = {}
    with _opened(folder) as store:
        wanted = list(place)
        for first in range(0, len(wanted), AT_A_TIME):
            some = wanted[first : first + AT_A_TIME]
            marks = ",".join("?" * len(some))
            query = f"SELECT digest, cells FROM rows WHERE digest IN ({marks})"  # noqa: S608
            known.update(store.execute(query, some))
    absent = [digest for digest in dict.fromkeys(digests) if digest not in known]
    if absent:
        rows = np.ascontiguousarray(calculate([place[one] for one in absent]), np.float64)
        new = {digest: row.tobytes() for digest, row in zip(absent, rows, strict=True)}
        with _opened(folder) as store, store:
            store.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?)", new.items())
        known.update(new)
    cells = b"".join(known[digest] for digest in digests)
    return np.frombuffer(cells, np.float64).reshape(len(digests), width).copy()


@contextlib.contextmanager
def _opened(folder: str | Path) -> Iterator[sqlite3.Connection]:
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path / NAME, timeout=BUSY_SECONDS)) as store:
        store.execute("CREATE TABLE IF NOT EXISTS rows (digest BLOB PRIMARY KEY, cells BLOB)")
        yield store
