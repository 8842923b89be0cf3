"""Give Prefect's embedded server time to start.

On a slow machine an empty database takes the server longer than Prefect's 20 s.
"""

import os
import sys

__all__ = ["allow_slow_start"]

_LIMIT = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
_SECONDS = 120


def allow_slow_start() -> None:
    """Raise the limit, unless the environment sets it; Prefect need not be imported yet."""
    if _LIMIT in os.environ:
        return
    os.environ[_LIMIT] = str(_SECONDS)
    if "prefect" in sys.modules:  # its settings are read already
        from prefect.settings import get_current_settings

        get_current_settings().server.ephemeral.startup_timeout_seconds = _SECONDS
