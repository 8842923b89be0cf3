"""What runs when next: the deployments of a project, and their next scheduled runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort

from tidemill.errors import printable
from tidemill.orchestration.deploy.apply import LABEL
from tidemill.orchestration.deploy.project_file import Project
from tidemill.reports.text import seconds_text

__all__ = ["Upcoming", "upcoming", "upcoming_text"]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A deployment, and when it runs next."""

    name: str  # flow/deployment
    at: datetime | None  # of its next run, with a time zone; None: there is none yet
    is_scheduled: bool  # it has a schedule that is active

    @property
    def is_awaited(self) -> bool:
        """Whether the server still has to make the next run."""
        return self.is_scheduled and self.at is None


def upcoming(client: SyncPrefectClient, project: Project) -> list[Upcoming]:
    """The deployments of a project, and when they run next."""
    names = DeploymentFilterName(any_=[one.name for one in project.deployments])
    found = client.read_deployments(deployment_filter=DeploymentFilter(name=names))
    return [
        _upcoming(client, one) for one in found if (one.labels or {}).get(LABEL) == project.name
    ]


def _upcoming(client: SyncPrefectClient, deployment: DeploymentResponse) -> Upcoming:
    runs = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=1,
    )
    return Upcoming(
        f"{client.read_flow(deployment.flow_id).name}/{deployment.name}",
        runs[0].expected_start_time if runs else None,
        _is_active(deployment),
    )


def _is_active(deployment: DeploymentResponse) -> bool:
    return not deployment.paused and any(one.active for one in deployment.schedules)


def upcoming_text(found: Sequence[Upcoming], now: datetime) -> str:
    """A line for each deployment, in the time zone of ``now``; what comes next stands first.

    Examples
    --------
    >>> from datetime import UTC
    >>> night = Upcoming("extract-interval/daily", datetime(2026, 12, 1, 2, 30, tzinfo=UTC), True)
    >>> by_hand = Upcoming("backfill/backfill", None, False)
    >>> print(upcoming_text([by_hand, night], datetime(2026, 11, 30, 23, 0, tzinfo=UTC)))
    extract-interval/daily  Tue 2026-12-01 02:30 UTC, in 3 h 30 min
    backfill/backfill       by hand
    """
    width = max((len(one.name) for one in found), default=0)
    ordered = sorted(found, key=lambda one: (one.at is None, one.at or now, one.name))
    return "\n".join(f"{printable(one.name):<{width}}  {_when(one, now)}" for one in ordered)


def _when(one: Upcoming, now: datetime) -> str:
    if one.at is None:
        return "scheduled" if one.is_scheduled else "by hand"
    told = f"{one.at.astimezone(now.tzinfo):%a %Y-%m-%d %H:%M %Z}"
    seconds = (one.at - now).total_seconds()
    return f"{told}, in {seconds_text(seconds)}" if seconds > 0.0 else f"now: due since {told}"
