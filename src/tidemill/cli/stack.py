"""The command ``tidemill up``."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import click

from tidemill.cli.logs import show_logs
from tidemill.cli.stopping import stoppable_for_long

__all__ = ["check_stack", "run_stack"]


def check_stack(**given: Any) -> int:
    """Print what is missing for the stack; the command's status."""
    request = _request(given)
    from tidemill.orchestration.stack.up import checked

    told, is_ready = checked(request)
    click.echo(told)
    return 0 if is_ready else 1


def run_stack(**given: Any) -> None:
    """Run the stack until it is told to stop."""
    request = _request(given)
    from tidemill.orchestration.stack.up import STOP_SECONDS, up

    with stoppable_for_long(STOP_SECONDS):
        up(request, _print)


def _request(given: dict[str, Any]) -> Any:
    environment = dict(os.environ)  # for what is started, which is not to be as quiet as this
    show_logs()
    from tidemill.orchestration.stack.request import StackRequest

    return StackRequest.of(**given, environment=environment)


def _print(line: str) -> None:
    """Print a line as it happens; a terminal that is gone keeps nothing from being stopped."""
    with suppress(OSError):
        click.echo(line)
