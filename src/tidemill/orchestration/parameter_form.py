"""The form of a flow's parameters: its JSON schema, and in words what it allows."""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.utilities.callables import parameter_schema

__all__ = ["allowed_text", "parameter_form"]


def parameter_form(flow: Flow[Any, Any]) -> dict[str, Any]:
    """JSON schema of the flow's parameters, from which Prefect's page builds its form."""
    # As `prefect deploy` sends it, so that neither undoes the other's work.
    return dict(parameter_schema(flow.fn).model_dump(mode="json", exclude_unset=True))


def allowed_text(schema: Any) -> str:
    """Describe in words what a piece of JSON schema allows.

    Examples
    --------
    >>> allowed_text({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]})
    'integer, minimum 1 or null'
    """
    if not isinstance(schema, dict):
        return "nothing"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(allowed_text(one) for one in schema[key]))
    if "const" in schema:  # the words of a pattern
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    rules = [f"{key} {schema[key]}" for key in ("minimum", "maximum", "pattern") if key in schema]
    return ", ".join([str(schema.get("type", "what the flow's form says")), *rules])
