"""What the command has checked, handed over to the flow that it calls: nothing is checked twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from tidemill.orchestration.certificates import check_certificates
from tidemill.orchestration.cluster import ClusterSpec, cluster_in_use, using
from tidemill.orchestration.main_guard import check_main_guard
from tidemill.planning.doors import Door
from tidemill.planning.request import Request, make_request

__all__ = ["HandedOver", "hand_over", "requested"]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A request that was checked, and what it was made from."""

    door: Door
    given: Mapping[str, Any]  # all values of the door, by name
    request: Request


_handed_over: ContextVar[HandedOver | None] = ContextVar("tidemill_handed_over", default=None)


@contextmanager
def hand_over(checked: HandedOver, spec: ClusterSpec) -> Iterator[None]:
    """Let a flow that is called in this context go on with what was checked."""
    token = _handed_over.set(checked)
    try:
        with using(spec):
            yield
    finally:
        _handed_over.reset(token)


def requested(door: Door, given: Mapping[str, Any]) -> tuple[Request, ClusterSpec]:
    """The request and the cluster that a flow was asked for.

    Raises
    ------
    ArgumentError, SettingsError
        If a value is not allowed.
    ClusterError
        If a script without ``if __name__ == "__main__":`` asks for processes.
    """
    spec = cluster_in_use(given["cluster"])
    check_main_guard(spec)
    checked = _handed_over.get()
    if checked is not None and (checked.door, checked.given) == (door, given):
        return checked.request, spec
    check_certificates(spec.text, spec.keywords)
    return make_request(**given, door=door), spec
