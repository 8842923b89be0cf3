"""Flows named in a file of deployments: imported, and their parameters checked."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.importtools import import_object
from prefect.utilities.schema_tools import validate

from tidemill.errors import ArgumentError, shorten
from tidemill.orchestration.deploy.parameter_values import wrong_values
from tidemill.orchestration.deploy.project_file import Deployment
from tidemill.orchestration.parameter_form import allowed_text, parameter_form

__all__ = ["load_flow", "wrong_parameters", "wrong_steps"]


def load_flow(entrypoint: str, folder: Path) -> Flow[Any, Any]:
    """Import a flow by ``package.module.flow``, or by ``path.py:flow`` relative to ``folder``.

    Raises
    ------
    ArgumentError
        If it cannot be imported, or is not a flow.
    """
    is_path = ":" in entrypoint
    if not is_path and "." not in entrypoint:
        raise ArgumentError(f"entrypoint={entrypoint!r} is not of the form package.module.flow")
    try:
        return load_flow_from_entrypoint(
            str(folder / entrypoint) if is_path else entrypoint, use_placeholder_flow=False
        )
    except Exception as error:  # whatever a module does when it is imported
        reason = error.__cause__ or error
        raise ArgumentError(
            f"entrypoint={entrypoint!r} cannot be imported ({type(reason).__name__}: {reason}); "
            "give package.module.flow of a flow that is installed here and for the worker"
        ) from error


def wrong_parameters(one: Deployment, flow: Flow[Any, Any], folder: Path) -> Iterator[str]:
    """Parameters that the flow lacks or refuses, and those that a scheduled run would lack.

    ``folder`` is that of the file, for an example of an absolute path.
    """
    given = one.parameters
    yield from _wrong_values({}, given, flow, "parameters", folder)
    for number, schedule in enumerate(one.schedules, start=1):
        at = f"schedule {number}: parameters"
        yield from _wrong_values(given, schedule.parameters, flow, at, folder)
        missing = set(parameter_form(flow).get("required", ())) - {*given, *schedule.parameters}
        if missing:
            yield f"{at}: {shorten(sorted(missing))} missing; no run can start without them"


def wrong_steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Pull steps that a worker could not run; those that install a package are not checked."""
    for step in steps:
        if len(step) != 1:
            yield f"pull: {dict(step)!r} is not allowed; give each step one name with its arguments"
            continue
        ((name, given),) = step.items()
        arguments = {key: value for key, value in (given or {}).items() if key != "id"}
        if "requires" in arguments:
            continue
        try:
            inspect.signature(import_object(name)).bind(**arguments)
        except Exception as error:  # noqa: BLE001 - whatever a module does when it is imported
            yield f"pull: step {name!r} cannot be called: {type(error).__name__}: {error}"


def _wrong_values(
    before: Mapping[str, Any],
    given: Mapping[str, Any],
    flow: Flow[Any, Any],
    at: str,
    folder: Path,
) -> Iterator[str]:
    """What is wrong with the given parameters, which are added to those before."""
    form = parameter_form(flow)
    known = form.get("properties", {})
    for name in sorted(given.keys() - known.keys()):
        yield f"{at}: {name!r} is not a parameter of {flow.name!r}; allowed: {', '.join(known)}"
    fits = {name: value for name, value in given.items() if name in known}
    door = getattr(flow.fn, "door", None)  # of a flow of this package
    told = dict(wrong_values(door, {**before, **fits}, folder)) if door and fits else {}
    yield from (f"{at}.{text}" for name, text in told.items() if name in fits or not before)
    errors = validate(fits, form, ignore_required=True)
    for error in errors:
        if error.absolute_path and error.absolute_path[0] in told:
            continue
        where = ".".join(str(step) for step in error.absolute_path)
        allowed = allowed_text(error.schema)
        yield f"{at}.{where}={error.instance!r} is not allowed; allowed: {allowed}"
    if not (told or errors) and fits.keys() >= set(form.get("required", ())):
        try:
            Flow.validate_parameters(flow, fits)  # those of this package never refuse here
        except Exception as error:  # noqa: BLE001 - whatever the flow's own types raise
            yield f"{at}: {' '.join(str(error).split())}"
