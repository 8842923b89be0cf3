"""Prefect flows. Importing this package gives Prefect's embedded server time to start.

Errors that explain themselves are logged without a traceback, in the process of a worker too.

The flow ``tidemill.flows.select.select`` is in ``select_features.py``: a file ``select.py`` would
hide the standard library's module of this name from the other files when they are run as scripts.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from tidemill.orchestration.error_logs import shorten_errors
from tidemill.orchestration.slow_start import allow_slow_start

shorten_errors()
allow_slow_start()


class _Alias(ModuleType):
    """A second name of a module, which is imported once something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks
            raise AttributeError(name)
        return getattr(import_module("tidemill.flows.select_features"), name)


select = sys.modules[f"{__name__}.select"] = _Alias(f"{__name__}.select", __doc__)
