"""Prefect flows. Importing this package gives Prefect's embedded server time to start.

On a slow machine an empty database takes the server longer than Prefect's 20 s; that limit is
raised here unless the environment sets it. Errors that explain themselves are logged without a
traceback, in the process of a worker too.
"""

import os
import sys

from tidemill.orchestration.error_logs import shorten_errors

_LIMIT = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
_SECONDS = 120

shorten_errors()

if _LIMIT not in os.environ:
    os.environ[_LIMIT] = str(_SECONDS)
    if "prefect" in sys.modules:  # its settings are read already
        from prefect.settings import get_current_settings

        get_current_settings().server.ephemeral.startup_timeout_seconds = _SECONDS
