"""Calling the flows from the command line: check first, then start what the run needs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from tidemill.planning.doors import EXTRACT, Door

__all__ = ["quieten", "run_extraction", "run_on_table"]

P = ParamSpec("P")
T = TypeVar("T")

_STARTED = time.perf_counter()
#: Modules of the flows over tables, each with a flow of the door's name.
_FLOWS = {"extract-interval": "tidemill.flows.recurring", "backfill": "tidemill.flows.backfill"}


def _until_stopped(work: Callable[P, T]) -> Callable[P, T]:
    """Let Ctrl-C and SIGTERM end the function, whatever hangs in it."""

    @wraps(work)
    def stopped_on_request(*arguments: P.args, **named: P.kwargs) -> T:
        from tidemill.cli.stopping import stoppable

        with stoppable():
            return work(*arguments, **named)

    return stopped_on_request


@_until_stopped
def run_extraction(
    given: dict[str, Any], *, verbose: bool = False, quiet: bool = False
) -> dict[str, Any]:
    """Run ``extract`` with a progress bar; ``cluster="none"`` goes without Prefect.

    Parameters
    ----------
    given : all values of the door EXTRACT, by name
    verbose : show the log of Prefect and of the engine
    quiet : show no progress bar
    """
    from tidemill.model.progress import subscribe
    from tidemill.orchestration.certificates import check_certificates
    from tidemill.orchestration.cluster import parse_cluster
    from tidemill.planning.prepare import validate_request
    from tidemill.planning.request import make_request
    from tidemill.reports.text import progress_bar

    quieten(verbose=verbose)
    spec = parse_cluster(given["cluster"])
    check_certificates(spec.text, spec.keywords)
    request = validate_request(make_request(**given))
    with progress_bar(visible=not quiet) as listener, subscribe(listener):
        if spec.kind == "none":
            from tidemill.execution.in_process import extract_here

            summary = extract_here(request, wait_for_sink=given["wait_for_sink"]).to_json()
        else:
            from tidemill.flows.extract import extract
            from tidemill.orchestration.handover import HandedOver, hand_over

            with hand_over(HandedOver(EXTRACT, given, request), spec):
                summary = extract(**given)
            _say_untold()
    return {**summary, "seconds_in_all": time.perf_counter() - _STARTED}


@_until_stopped
def run_on_table(door: Door, given: dict[str, Any], *, verbose: bool = False) -> dict[str, Any]:
    """Run a flow over intervals; what is wrong is reported before a server is started.

    Parameters
    ----------
    door : of the flow
    given : all of its values, by name
    verbose : show the log of Prefect and of the engine
    """
    from tidemill.model.progress import subscribe
    from tidemill.orchestration.certificates import check_certificates
    from tidemill.orchestration.cluster import parse_cluster
    from tidemill.planning.request import make_request
    from tidemill.recurring.calendars import calendar_of
    from tidemill.recurring.table_checks import validate_table_request
    from tidemill.reports.text import progress_bar

    quieten(verbose=verbose)
    spec = parse_cluster(given["cluster"])
    check_certificates(spec.text, spec.keywords)
    calendar = calendar_of(given)
    request = validate_table_request(make_request(**given, door=door), calendar)
    flow = getattr(import_module(_FLOWS[door.name]), door.name.replace("-", "_"))
    from tidemill.orchestration.handover import HandedOver, hand_over

    with (
        progress_bar(visible=False) as listener,  # it shows notes
        subscribe(listener),
        hand_over(HandedOver(door, given, request), spec),
    ):
        report: dict[str, Any] = flow(**given)
    _say_untold()
    return report


def _say_untold() -> None:
    """Say what Prefect's server could not be told."""
    import click

    from tidemill.orchestration.lost_server import untold_lines

    for line in untold_lines():
        click.secho(line, fg="yellow", err=True)


def quieten(*, verbose: bool) -> None:
    """Keep Prefect's console lines out of the progress bar, unless they are asked for."""
    if not verbose:
        logging.raiseExceptions = False  # Prefect prints each log line that it cannot send
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
