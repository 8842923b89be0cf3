"""Calling the flows from the command line: check first, then start what the run needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tidemill.cli.logs import is_json
from tidemill.planning.doors import BACKFILL, EXTRACT, Door

if TYPE_CHECKING:
    from tidemill.planning.request import Request
    from tidemill.recurring.calendars import Calendar

__all__ = ["run_extraction", "run_on_table"]

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
def run_extraction(given: dict[str, Any], *, quiet: bool = False) -> dict[str, Any]:
    """Run ``extract`` with a progress bar; ``cluster="none"`` goes without Prefect.

    Parameters
    ----------
    given : all values of the door EXTRACT, by name
    quiet : show neither progress nor notes, which the log has too
    """
    from tidemill.orchestration.certificates import check_certificates
    from tidemill.orchestration.cluster import parse_cluster
    from tidemill.planning.prepare import validate_request
    from tidemill.planning.request import make_request

    spec = parse_cluster(given["cluster"])
    check_certificates(spec.text, spec.keywords)
    request = validate_request(make_request(**given))
    with shown_progress(quiet=quiet):
        if spec.kind == "none":
            from tidemill.execution.in_process import extract_here
            from tidemill.reports.html.write import RunReports

            reports = RunReports(given["report_url"])
            done = extract_here(request, wait_for_sink=given["wait_for_sink"], on_end=reports)
            summary = {**done.to_json(), "reports": reports.links()}
        else:
            from tidemill.flows.extract import extract
            from tidemill.orchestration.handover import HandedOver, hand_over

            with hand_over(HandedOver(EXTRACT, given, request), spec):
                summary = extract(**given)
            _say_untold()
    return {**summary, "seconds_in_all": time.perf_counter() - _STARTED}


@_until_stopped
def run_on_table(door: Door, given: dict[str, Any], *, quiet: bool = False) -> dict[str, Any]:
    """Run a flow over intervals; ``cluster="none"`` goes without Prefect.

    Parameters
    ----------
    door : of the flow
    given : all of its values, by name
    quiet : show neither progress nor notes, which the log has too
    """
    from tidemill.orchestration.certificates import check_certificates
    from tidemill.orchestration.cluster import parse_cluster
    from tidemill.planning.request import make_request
    from tidemill.recurring.calendars import calendar_of
    from tidemill.recurring.table_checks import validate_table_request

    spec = parse_cluster(given["cluster"])
    check_certificates(spec.text, spec.keywords)
    calendar = calendar_of(given)
    request = validate_table_request(make_request(**given, door=door), calendar)
    with shown_progress(quiet=quiet):
        if spec.kind == "none":
            return _run_on_table_here(door, request, calendar, given)
        flow = getattr(import_module(_FLOWS[door.name]), door.name.replace("-", "_"))
        from tidemill.orchestration.handover import HandedOver, hand_over

        with hand_over(HandedOver(door, given, request), spec):
            report: dict[str, Any] = flow(**given)
    _say_untold()
    return report


def _run_on_table_here(
    door: Door, request: Request, calendar: Calendar, given: dict[str, Any]
) -> dict[str, Any]:
    from tidemill.recurring.here import backfill_here, latest_here
    from tidemill.reports.html.write import RunReports

    here = backfill_here if door is BACKFILL else latest_here
    with RunReports(given["report_url"], only_notable=door is BACKFILL) as reports:
        report = here(request, calendar, given, reports)
    return {**report.to_json(), "reports": reports.links()}


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[None]:
    """Show the progress of a run, and what it notes; as JSON the log says all that."""
    from tidemill.model.progress import subscribe
    from tidemill.reports.progress_bar import progress_bar

    if is_json():
        yield
        return
    with progress_bar(visible=not quiet) as listener, subscribe(listener):
        yield


def _say_untold() -> None:
    """Say what Prefect's server could not be told."""
    import click

    from tidemill.orchestration.lost_server import untold_lines

    for line in untold_lines() if not is_json() else ():  # the log has them
        click.secho(line, fg="yellow", err=True)
