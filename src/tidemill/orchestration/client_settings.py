"""Settings of Prefect for a while: as its own ``temporary_settings``, but made once.

Prefect reads environment, profile and files anew for each change, which takes a tenth of a second,
and a run changes the same few settings a dozen times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect.context import SettingsContext, get_settings_context
from prefect.settings import Settings

__all__ = ["with_settings"]

#: Base, and what was made of it; the base is kept, so that its identity is not used again.
_made: dict[tuple[int, tuple[tuple[str, Any], ...]], tuple[Settings, Settings]] = {}
#: Kept at most: a process talks to one server or two.
_MOST = 32


@contextmanager
def with_settings(updates: Mapping[Any, Any]) -> Iterator[None]:
    """Let settings have other values in this context.

    Parameters
    ----------
    updates : settings, such as ``PREFECT_API_URL``, and their values, which can be hashed

    Examples
    --------
    >>> from prefect.settings import PREFECT_CLIENT_MAX_RETRIES
    >>> with with_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
    ...     PREFECT_CLIENT_MAX_RETRIES.value()
    0
    """
    context = get_settings_context()
    base = context.settings
    key = id(base), tuple((one.name, value) for one, value in updates.items())
    if key not in _made:
        if len(_made) >= _MOST:
            _made.clear()
        _made[key] = base, base.copy_with_update(updates=updates)
    with SettingsContext(profile=context.profile, settings=_made[key][1]):
        yield
