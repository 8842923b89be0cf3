"""Our flows as Prefect's engine calls them: what cannot work is refused, and reported.

Prefect checks parameters before a flow begins, in words of its own, and no report can be made of
that. Here they are checked at the same place, and what is wrong is raised where the flow begins.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import FlowRunContext, TaskRunContext
from pydantic import TypeAdapter, ValidationError

from tidemill.errors import ArgumentError, printable
from tidemill.orchestration.parameter_form import allowed_text, parameter_form
from tidemill.orchestration.server import start_server

__all__ = ["in_sentences", "raise_refused"]

P = ParamSpec("P")
R = TypeVar("R")

#: Keywords of a call that are no parameters of the flow.
_OF_PREFECT = {"return_state", "wait_for"}
#: Characters of a value that is shown.
_SHOWN = 100

_refused: ContextVar[ArgumentError | None] = ContextVar("tidemill_refused", default=None)


class _PlainFlow(Flow[P, R]):
    """A flow that says what is wrong with a call, before Prefect's engine does."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        given = {name: value for name, value in named.items() if name not in _OF_PREFECT}
        try:
            self.fn.__signature__.bind(*arguments, **given)  # type: ignore[attr-defined]
        except TypeError as error:
            names = ", ".join(parameter_form(self)["properties"])
            raise TypeError(f"{self.fn.__name__}(): {error}; its parameters: {names}") from None
        if FlowRunContext.get() is None and TaskRunContext.get() is None:
            start_server()
        return super().__call__(*arguments, **named)

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        error = self._refusal(parameters)
        _refused.set(error)
        return parameters if error else super().validate_parameters(parameters)

    def _refusal(self, parameters: dict[str, Any]) -> ArgumentError | None:
        """What is wrong with the first value that the flow's signature does not allow."""
        known = self.fn.__signature__.parameters  # type: ignore[attr-defined]
        for name, value in parameters.items():
            try:
                TypeAdapter(known[name].annotation).validate_python(value)
            except ValidationError as error:
                return ArgumentError(self._sentence(name, value, error))
        return None

    def _sentence(self, name: str, value: Any, error: ValidationError) -> str:
        for one in error.errors(include_url=False, include_input=False):
            if one["type"] == "value_error":  # a check of ours has said it
                return f"{name} is not allowed: {one['ctx']['error']}"
        allowed = allowed_text(parameter_form(self)["properties"][name])
        return f"{name}={printable(repr(value), _SHOWN)} is not allowed; allowed: {allowed}"


def in_sentences(flow: Flow[P, R]) -> Flow[P, R]:
    """Let a flow with the signature of a door refuse in sentences what cannot work.

    A flow that is called by a program looks for the server first, for which Prefect's engine would
    wait minutes. One that a worker starts, or another flow calls, does not: it was there just now.
    """
    flow.__class__ = _PlainFlow
    return flow


def raise_refused() -> None:
    """Say what is wrong with the parameters of the flow that begins.

    Raises
    ------
    ArgumentError
        If the flow's signature does not allow one of them.
    """
    error = _refused.get()
    if error is not None:
        _refused.set(None)
        raise error
