"""Runs of deployments that a Prefect server knows of some tables: next, live and last ended ones.

Whoever asks is a person at a terminal or a monitor: one answer is waited for a few seconds, and
what the server cannot be asked is told as a fault, not raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL

from tidemill.errors import TidemillError, printable
from tidemill.orchestration.lost_server import limited
from tidemill.orchestration.services import brief_client
from tidemill.orchestration.untold import LIVE, PAGE
from tidemill.storage.layout import SinkLayout

__all__ = ["DeployedRun", "ServerLook", "runs_of_tables"]

#: Seconds for one answer.
PATIENCE_SECONDS = 4.0
#: Deployments that are asked for, and those of the tables whose runs are.
MOST_DEPLOYMENTS = 2_000
MOST_OF_TABLES = 50
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]


@dataclass(frozen=True, slots=True)
class DeployedRun:
    """A run of a deployment, as the server knows it."""

    sink: str  # as `SinkLayout.url`
    deployment: str
    name: str  # of the run
    type: str  # of its state: SCHEDULED, RUNNING, FAILED, ...
    state: str  # its name: Late, AwaitingRetry, Warned, ...
    when: str  # ISO 8601, UTC: it is to start, has started, or ended
    message: str  # of its state


@dataclass(frozen=True, slots=True)
class ServerLook:
    """What a Prefect server was asked, and what it answered."""

    url: str = ""  # "": none is configured
    fault: str = ""  # why it did not answer
    runs: tuple[DeployedRun, ...] = ()

    def of(self, url: str, *types: str) -> list[DeployedRun]:
        """The runs of a table in some types of state."""
        return [one for one in self.runs if one.sink == url and one.type in types]


def runs_of_tables(sinks: Sequence[str]) -> ServerLook:
    """What the configured server knows of some tables; a server that is silent costs ten seconds.

    Parameters
    ----------
    sinks : as `SinkLayout.url`

    Returns
    -------
    ServerLook
        Of each deployment that writes to one of them: the next run, those that are live, and the
        one that ended last.
    """
    url = PREFECT_API_URL.value()
    if not url:
        return ServerLook()
    try:
        return ServerLook(url, "", limited(_ask, url, frozenset(sinks)))
    except Exception as error:  # noqa: BLE001  whatever the server says
        return ServerLook(url, printable(error) or type(error).__name__)


def _ask(url: str, sinks: frozenset[str]) -> tuple[DeployedRun, ...]:
    with brief_client(url, PATIENCE_SECONDS) as client:
        found = [(sink, one) for one in _deployments(client) for sink in _sinks_of(one) & sinks]
        return tuple(run for pair in found[:MOST_OF_TABLES] for run in _runs(client, *pair))


def _deployments(client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    for offset in range(0, MOST_DEPLOYMENTS, PAGE):
        page = client.read_deployments(limit=PAGE, offset=offset)
        yield from page
        if len(page) < PAGE:
            return


def _sinks_of(deployment: DeploymentResponse) -> set[str]:
    """The tables that a deployment works on; those of flows of others are none of ours."""
    given: Mapping[str, Any] = deployment.parameters or {}
    several = given.get("tables")
    named = [given.get("sink"), *(several if isinstance(several, list) else [several])]
    found = set()
    for one in named:
        try:
            found |= {SinkLayout.of(one).url} if isinstance(one, str) and one else set()
        except TidemillError:
            continue
    return found


def _runs(
    client: SyncPrefectClient, sink: str, deployment: DeploymentResponse
) -> list[DeployedRun]:
    """The next run, the live ones, and the last that ended."""
    asked = (
        ([StateType.SCHEDULED], FlowRunSort.EXPECTED_START_TIME_ASC, 1),
        (LIVE, FlowRunSort.START_TIME_DESC, 10),
        (_ENDED, FlowRunSort.END_TIME_DESC, 1),
    )
    own = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    return [
        _told(sink, deployment.name, run)
        for types, sort, limit in asked
        for run in client.read_flow_runs(
            deployment_filter=own,
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types))
            ),
            sort=sort,
            limit=limit,
        )
    ]


def _told(sink: str, deployment: str, run: FlowRun) -> DeployedRun:
    when = run.end_time or run.start_time or run.expected_start_time
    state = run.state
    return DeployedRun(
        sink=sink,
        deployment=deployment,
        name=run.name,
        type=state.type.value if state else "",
        state=(state.name or "") if state else "",
        when=when.isoformat(timespec="seconds") if when else "",
        message=(state.message or "") if state else "",
    )
