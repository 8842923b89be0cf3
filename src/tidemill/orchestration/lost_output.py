"""A run goes on when nobody reads any more what it prints, as after the death of its worker.

A worker of Prefect reads the output of its runs. If it dies, the next line of a run's log meets a
broken pipe. Prefect writes the log with rich, which ends the process then; that suits a command
whose reader has ended, but no run of a deployment: its page still shows the log.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from functools import partial

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console

__all__ = ["outlast_output"]

#: In the environment of a run that a worker started, and of its processes.
_STARTED_BY_WORKER = "PREFECT__FLOW_RUN_ID"


def outlast_output() -> None:
    """Let this process, of a run that a worker started, go on in silence without its worker.

    Examples
    --------
    >>> outlast_output()
    """
    if _STARTED_BY_WORKER not in os.environ:
        return
    for handler in _handlers():
        fall_silent = partial(_fall_silent, handler.console)
        handler.console.on_broken_pipe = fall_silent  # type: ignore[method-assign]


def _handlers() -> Iterator[PrefectConsoleHandler]:
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if isinstance(handler, PrefectConsoleHandler):
                yield handler


def _fall_silent(console: Console) -> None:
    """Print nothing any more, here and in processes that are started from now on."""
    console.quiet = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
