"""Which texts of a request are paths, and which of them depend on the folder they are read in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tidemill.planning.parameters import PARAMETERS
from tidemill.sources.sql.address import is_relative

__all__ = ["is_path", "relative_paths"]


def is_path(name: str, value: Any) -> bool:
    """Whether a parameter's value is the path of a file or folder.

    Examples
    --------
    >>> is_path("settings", "efficient"), is_path("settings", "mine.yaml"), is_path("sink", "s3://x")
    (False, True, False)
    """
    pattern = PARAMETERS[name].paths
    is_text = bool(pattern) and isinstance(value, str)
    return is_text and "://" not in value and bool(re.search(pattern, value))


def relative_paths(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and path of each value that means another file in another folder.

    Parameters
    ----------
    given : parameters by name; those that are none of the table are left out

    Examples
    --------
    >>> list(relative_paths({"source": ["/data", "demo://buoys", "in"], "sink": "~/table"}))
    [('source', 'in')]
    """
    for name, value in given.items():
        if name in PARAMETERS:
            texts = value if isinstance(value, list | tuple) else [value]
            yield from ((name, text) for text in texts if _is_relative(name, text))


def _is_relative(name: str, text: Any) -> bool:
    if is_path(name, text):
        return not (text.startswith("~") or Path(text).is_absolute())
    return name == "source" and isinstance(text, str) and is_relative(text)
