"""Flow signatures, docstrings and Prefect's run form, made from the table of parameters.

:func:`takes` turns a function of all values into one with the flat signature of its door. Type
checkers and editors cannot read a signature that is made at run time; for them
:mod:`tidemill.orchestration.signatures` holds the same as text, which this module writes:
``python -m tidemill.orchestration.parameters`` prints it, and a test keeps it equal.
"""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Callable, Mapping
from functools import reduce, wraps
from operator import or_
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin

from pydantic import BeforeValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from tidemill.errors import ArgumentError
from tidemill.planning.doors import FLOW_DOORS, Door
from tidemill.planning.parameters import FlowParameter, Form

__all__ = ["docstring_of", "signature_of", "signatures_text", "takes"]

P = ParamSpec("P")
R = TypeVar("R")

#: Locations, whose type a frame could be taken for.
_LOCATIONS = {"source", "sink", "tables", "matrix", "target", "output"}
_WIDTH = 100


class _Rule:
    """Keywords of JSON schema for a type; pydantic itself does not check them."""

    def __init__(self, keywords: Mapping[str, Any]) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), **self.keywords}


def takes(
    door: Door, like: Callable[P, Any]
) -> Callable[[Callable[[dict[str, Any]], R]], Callable[P, R]]:
    """Give a function of all values of a door, by name, the door's own signature and docstring.

    Parameters
    ----------
    door : whose parameters the result takes, by position or name
    like : the function of :mod:`tidemill.orchestration.signatures` that type checkers read

    Examples
    --------
    >>> from tidemill.orchestration import signatures
    >>> from tidemill.planning.doors import EXTRACT
    >>> @takes(EXTRACT, signatures.extract)
    ... def cluster_of(given):
    ...     return given["cluster"]
    >>> cluster_of("in", "out", "id")
    'threads'
    """
    del like  # its type is all that counts

    def wrap(function: Callable[[dict[str, Any]], R]) -> Callable[P, R]:
        signature = signature_of(door)

        @wraps(function)
        def call(*arguments: P.args, **keywords: P.kwargs) -> R:
            return function(door.complete(signature.bind(*arguments, **keywords).arguments))

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.door = door  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        call.__doc__ = docstring_of(door, function.__doc__ or "")
        return call

    return wrap


def signature_of(door: Door) -> inspect.Signature:
    """The signature of a flow, whose annotations carry the rules of the form."""
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Signature(
        [
            inspect.Parameter(
                one.name,
                kinds[one.is_positional],
                default=inspect.Parameter.empty if one.is_required else one.default,
                annotation=_annotation(one),
            )
            for one in door
        ],
        return_annotation=dict[str, Any],
    )


def _annotation(parameter: FlowParameter) -> Any:
    """The type that Prefect validates values with, and makes the form's field from."""
    one = reduce(or_, (_of_form(form) for form in parameter.forms))
    if parameter.name in _LOCATIONS:
        one = Annotated[one, BeforeValidator(_refuse_frames)]
    one = one | None if parameter.default is None else one
    return Annotated[one, _Rule(parameter.pattern.rule)] if parameter.pattern else one


def _of_form(form: Form) -> Any:
    return Annotated[form.type, _Rule(form.rule)] if form.rule else form.type


def _refuse_frames(value: Any) -> Any:
    """Name the remedy; pydantic would take a frame for the list of its columns."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, str | list | tuple):
        raise ArgumentError(
            f"{type(value).__name__} given, but the flow takes paths and URLs of files; "
            "tidemill.extract_features takes frames"
        )
    return value


def docstring_of(door: Door, text: str) -> str:
    """A flow's docstring: its own text, with the parameters before what it returns.

    Prefect's form reads descriptions from Google's ``Args:`` only, and cannot group fields: so each
    description begins with its group.
    """
    about, _, returns = inspect.cleandoc(text).partition("\n\nReturns:\n")
    listed = [
        textwrap.fill(
            f"{one.name}: {one.described}",
            _WIDTH,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for one in door
    ]
    parts = [about, "Args:\n" + "\n".join(listed), *([f"Returns:\n{returns}"] if returns else [])]
    return "\n\n".join(parts)


def signatures_text() -> str:
    """The source of :mod:`tidemill.orchestration.signatures`."""
    head = '''"""The flows' signatures as type checkers and editors read them.

Written by ``python -m tidemill.orchestration.parameters`` from the table of parameters.
"""

from __future__ import annotations

from typing import Any, Literal

__all__ = [{names}]
'''
    names = sorted(_function_name(door) for door in FLOW_DOORS.values())
    doors = sorted(FLOW_DOORS.values(), key=_function_name)
    listed = ", ".join(f'"{name}"' for name in names)
    return "\n\n".join([head.replace("{names}", listed), *map(_function_text, doors)])


def _function_name(door: Door) -> str:
    return door.name.replace("-", "_")


def _function_text(door: Door) -> str:
    lines = [f"    {one.name}: {_type_text(one)}{_default_text(one)}," for one in door]
    lines.insert(sum(one.is_positional for one in door), "    *,")
    body = f'    """See the flow ``{door.name}``."""\n    raise NotImplementedError\n'
    return "\n".join([f"def {_function_name(door)}(", *lines, ") -> dict[str, Any]:", body])


def _type_text(parameter: FlowParameter) -> str:
    types = [form.type for form in parameter.forms]
    if str in types:  # which a choice is, too
        types = [one for one in types if "Literal" not in repr(one)]
    texts = list(dict.fromkeys(map(_text_of, types)))
    return " | ".join([*texts, *(["None"] if parameter.default is None else [])])


def _text_of(type_: Any) -> str:
    if type_ is Any:
        return "Any"
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is None:
        return str(type_.__name__)
    if "Literal" in repr(type_):
        return f"Literal[{', '.join(_quoted(one) for one in arguments)}]"
    return f"{origin.__name__}[{', '.join(map(_text_of, arguments))}]"


def _default_text(parameter: FlowParameter) -> str:
    if parameter.is_required:
        return ""
    default = parameter.default
    return f" = {_quoted(default)}" if isinstance(default, str) else f" = {default!r}"


def _quoted(text: str) -> str:
    return f'"{text}"'


if __name__ == "__main__":
    print(signatures_text(), end="")  # noqa: T201
