"""How a run ends in Prefect: with its verdict as state, report and log line, and failures too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from prefect.context import FlowRunContext
from prefect.states import Completed, State

from tidemill.model.logs import engine_log
from tidemill.model.verdict import Verdict
from tidemill.orchestration.artifacts import show_report
from tidemill.orchestration.flow_calls import raise_refused
from tidemill.planning.command_line import command_line
from tidemill.planning.doors import BACKFILL, Door
from tidemill.reports.html.write import RunReports
from tidemill.reports.markdown import failure_page

__all__ = ["Reportable", "ended_with", "in_state", "reported"]

log = engine_log(__name__)


#: A report as JSON values; None if there is nothing to report yet.
_SoFar = Callable[[], Mapping[str, Any] | None]


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Reportable:
    """What can be reported of a run, also if it fails."""

    reports: RunReports  # writes those of the run's jobs
    so_far: _SoFar = _nothing
    page: Callable[[Mapping[str, Any]], str] = failure_page

    def report_so_far(self, so_far: _SoFar, page: Callable[[Mapping[str, Any]], str]) -> None:
        """From now on there is more to report than the parameters.

        Parameters
        ----------
        so_far : what the run has found and done
        page : makes Markdown of it, with the verdict and the command that repeats the run
        """
        self.so_far, self.page = so_far, page


@contextmanager
def reported(door: Door, given: Mapping[str, Any]) -> Iterator[Reportable]:
    """Let whatever ends a flow be reported on the run's page, with the verdict on top.

    Parameters
    ----------
    door : of the flow
    given : the parameters of its run

    Yields
    ------
    Reportable
        To be told how to report, once more is known than the parameters.
    """
    ending = Reportable(RunReports(given.get("report_url"), only_notable=door is BACKFILL))
    try:
        raise_refused()
        yield ending
    except Exception as error:
        verdict = Verdict.failed(error)
        _tell_failure(verdict)
        show_report(_failure_text(ending, verdict, door, given), _output(given))
        raise


def ended_with(verdict: Verdict, result: dict[str, Any], page: str, sink: str) -> dict[str, Any]:
    """The end of a flow that has not failed: what it returns, in a state that says the verdict.

    A flow returns this, and whoever calls the flow gets ``result``.

    Parameters
    ----------
    verdict : on the run
    result : what the flow returns
    page : report in Markdown
    sink : where the output lies
    """
    show_report(page, sink)
    return in_state(verdict, result)


def in_state(verdict: Verdict, result: dict[str, Any]) -> dict[str, Any]:
    """What a flow returns, in a state that says the verdict, as its log does."""
    log.log(logging.WARNING if verdict.warnings else logging.INFO, "%s", verdict.text)
    if FlowRunContext.get() is None:  # called as a plain function
        return result
    state: State[Any] = Completed(name=verdict.state_name, message=verdict.text, data=result)
    return cast("dict[str, Any]", state)  # Prefect's engine takes the result out of it


def _output(given: Mapping[str, Any]) -> str:
    """The sink, the matrix that is read, or the first of the tables that are looked after."""
    where = next(given[name] for name in ("sink", "matrix", "tables") if name in given)
    return str(where[0] if isinstance(where, list | tuple) and where else where)


def _failure_text(
    ending: Reportable, verdict: Verdict, door: Door, given: Mapping[str, Any]
) -> str:
    about = {
        "verdict": verdict.text,
        "sink": _output(given),
        "command": _command(door, given),
        "reports": ending.reports.links(),
    }
    try:
        found = ending.so_far()
        return ending.page({**found, **about}) if found else failure_page(about)
    except Exception:  # the error that is reported must not be hidden by another one
        log.exception("what the run had found so far cannot be reported")
        return failure_page(about)


def _command(door: Door, given: Mapping[str, Any]) -> str:
    try:
        return command_line(door, given)
    except Exception:  # noqa: BLE001  of values that no flow takes
        return ""


def _tell_failure(verdict: Verdict) -> None:
    """Let the state in which this run is about to end say the verdict."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    client: Any = context.client
    own, set_state = str(context.flow_run.id), client.set_flow_run_state

    def set_flow_run_state(run: Any, state: State[Any], *rest: Any, **named: Any) -> Any:
        if str(run) == own and state.is_failed():
            state.message = verdict.text
        return set_state(run, state, *rest, **named)

    client.set_flow_run_state = set_flow_run_state
