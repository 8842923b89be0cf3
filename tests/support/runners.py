"""A runner that carries nothing out, but records what it was asked for and fails as told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tidemill.execution.in_process import extract_here
from tidemill.planning.request import Request
from tidemill.recurring.latest import Runner


@dataclass
class FakeRunner:
    """Opens runners and counts; errors are raised in turn, and None stands for success."""

    errors: Mapping[str, Sequence[Exception | None]] = field(default_factory=dict)  # by interval
    requests: list[Request] = field(default_factory=list)
    opened: int = 0
    is_open: bool = False

    @contextmanager
    def open(self) -> Iterator[Runner]:
        self.opened += 1
        self.is_open = True
        try:
            yield self.run
        finally:
            self.is_open = False

    def run(self, request: Request, turn: Any) -> dict[str, Any]:
        assert self.is_open
        name = request.interval.name
        attempt = self.names.count(name)
        self.requests.append(request)
        errors = self.errors.get(name, ())
        if turn is not None:
            turn.wait()
        if attempt < len(errors) and (error := errors[attempt]) is not None:
            raise error
        return {
            "interval": name,
            "interval_label": request.interval.label,
            "rows": 5,
            "columns": 3,
            "digest": f"digest of {name}",
            "warnings": [],
        }

    @property
    def names(self) -> list[str]:
        return [request.interval.name for request in self.requests]


class RealRunner(FakeRunner):
    """Carries requests out in this process, on one thread."""

    def run(self, request: Request, turn: Any) -> dict[str, Any]:
        super().run(request, None)
        return extract_here(request, threads=1, turn=turn).to_json()
