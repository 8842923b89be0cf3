"""State files that show whether they are whole: their content is sealed with a checksum.

A file of JSON values ends with the SHA-256 of the others. One that was emptied, cut short or edited
by hand is found when it is read. Files of older versions have no seal; they are read as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

__all__ = ["SEAL", "built", "seal", "unseal"]

#: Name of the checksum among a file's values.
SEAL = "seal"

T = TypeVar("T")

_PLAIN: Mapping[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float)}


def seal(values: Mapping[str, Any]) -> bytes:
    """JSON values as the content of a file, with a checksum.

    Examples
    --------
    >>> unseal(seal({"rows": 7}))
    {'rows': 7}
    >>> unseal(seal({"rows": 7}).replace(b"7", b"8", 1))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: its content is not what was written...
    """
    return _text({**values, SEAL: _checksum(values)}).encode()


def unseal(data: str | bytes) -> dict[str, Any]:
    """The values that :func:`seal` wrote; ``ValueError`` if they are damaged or were edited."""
    values = json.loads(data)
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004  as for all content that is damaged
            f"it does not hold an object: {data[:80]!r}"
        )
    found = values.pop(SEAL, None)
    if found is not None and found != _checksum(values):
        raise ValueError("its content is not what was written: it was damaged or edited")
    return values


def built(cls: type[T], values: Mapping[str, Any]) -> T:
    """An instance made of JSON values; ``TypeError`` if a text or number is something else.

    Examples
    --------
    >>> from tidemill.storage.processes import Process
    >>> built(Process, {"host": "h", "pid": "7", "started": 0.0})
    Traceback (most recent call last):
    TypeError: Process.pid is '7'
    """
    if not isinstance(values, dict):
        raise TypeError(f"{cls.__name__} is {values!r}")
    hints = get_type_hints(cls)
    for name, value in values.items():
        wanted = _PLAIN.get(hints.get(name))
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise TypeError(f"{cls.__name__}.{name} is {value!r}")
    return cls(**values)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(values).encode()).hexdigest()


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"))
