"""Storages that do not answer: the first request waits patiently, those after it do not.

A request to an object store is given up after half a minute. A run that fails for it has more to
do: remove its marks, give its lease back, write its record. If each of these waited as long again,
nobody would hear for minutes why the run fails. So a process remembers which storage did not
answer, and asks it briefly until it answers again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tidemill.model.logs import engine_log

__all__ = ["is_silence", "noted", "silent_seconds"]

log = engine_log(__name__)

#: Seconds without a further request after which an outage is forgotten.
FORGET_SECONDS = 60.0
#: A request's own seconds; what was calculated while a file was open is no silence.
_LONGEST_REQUEST = 40.0
#: What a server answers that has a fault of its own, as in "503 Service Unavailable".
_STATUS = re.compile(r": [45]\d\d\b")


@dataclass(slots=True)
class _Outage:
    since: float  # by the monotonic clock
    last: float


_outages: dict[str, _Outage] = {}  # by scheme and host, or bucket


@contextmanager
def noted(url: str) -> Iterator[None]:
    """Remember whether the storage answers, for an object store; its errors pass."""
    place, began = _place(url), time.monotonic()
    try:
        yield
    except ConnectionError as error:
        if place and is_silence(error):
            _note(place, began)
        raise
    except (FileNotFoundError, PermissionError):  # answers, too
        _outages.pop(place, None)
        raise
    if _outages.pop(place, None):
        log.debug("%s answers again", place)


def is_silence(error: object) -> bool:
    """Whether an error says that a storage did not answer, rather than that it has a fault.

    Examples
    --------
    >>> is_silence(ConnectionError("gave no good answer for s3://b/k: operation timed out"))
    True
    >>> is_silence(ConnectionError("gave no good answer for s3://b/k: 503 Service Unavailable"))
    False
    """
    text = str(error)
    return (
        isinstance(error, ConnectionError)
        and "gave no good answer" in text
        and not _STATUS.search(text)
    )


def silent_seconds(url: str) -> float:
    """How long the storage of a URL has not answered this process; 0 if it does.

    Examples
    --------
    >>> silent_seconds("s3://bucket/matrix")
    0.0
    """
    known, now = _outages.get(_place(url)), time.monotonic()
    return now - known.since if known and now - known.last < FORGET_SECONDS else 0.0


def _note(place: str, began: float) -> None:
    now = time.monotonic()
    known = _outages.get(place)
    if known is None or now - known.last >= FORGET_SECONDS:
        known = _outages[place] = _Outage(max(began, now - _LONGEST_REQUEST), now)
        log.debug("%s does not answer", place)
    known.last = now


def _place(url: str) -> str:
    """Scheme and bucket of a URL; empty for a path.

    Examples
    --------
    >>> _place("s3://bucket/matrix/part"), _place("/data/matrix")
    ('s3://bucket', '')
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if separator else ""
