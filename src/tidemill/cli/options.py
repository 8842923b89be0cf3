"""Arguments and options of the subcommands, made from the table of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from tidemill.model.documents import parse_json
from tidemill.planning.doors import Door
from tidemill.planning.parameters import PARAMETERS, FlowParameter

__all__ = [
    "KEEP_OPTION",
    "MODULE_OPTION",
    "STORAGE_OPTION",
    "as_typed",
    "given_of",
    "pairs",
    "takes_options",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

#: Parameters that are arguments and have no option, and their names in the command's help.
_ARGUMENTS = {"source": "INPUT", "sink": "OUTPUT", "matrix": "TABLE"}


def takes_options(door: Door) -> Decorator:
    """Add the arguments and options of a door to a command."""
    listed = [_decorator(parameter, door) for parameter in door]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(listed):
            command = decorate(command)
        return command

    return add


def _decorator(parameter: FlowParameter, door: Door) -> Decorator:
    name = _ARGUMENTS.get(parameter.name)
    if name is None:
        return _option(parameter)
    if parameter.name == "source" and "table" in door.groups:  # as in the commands of reports
        return click.argument("source", metavar=f"{name}...", nargs=-1, required=True)
    return click.argument(parameter.name, metavar=name)


def _option(parameter: FlowParameter) -> Decorator:
    keywords: dict[str, Any] = {"help": parameter.short, "required": parameter.is_required}
    if not parameter.is_required and parameter.default is not None:
        keywords |= {"default": parameter.default, "show_default": True}
    if parameter.forms[0].type is bool:
        return click.option(parameter.flag, parameter.name, is_flag=True, help=parameter.short)
    if parameter.is_repeated:
        keywords["multiple"] = True
    if parameter.choices:
        keywords["type"] = click.Choice(parameter.choices)
    elif parameter.forms[0].type in {int, float}:
        keywords["type"] = parameter.forms[0].type
    if parameter.name == "storage_options":
        keywords["metavar"] = "KEY=VARIABLE"
    elif _is_mapping_only(parameter):
        keywords["metavar"] = "JSON"
    return click.option(parameter.flag, parameter.name, **keywords)


def _is_mapping_only(parameter: FlowParameter) -> bool:
    return "dict" in repr(parameter.forms[0].type)


KEEP_OPTION = _option(PARAMETERS["keep"])
STORAGE_OPTION = _option(PARAMETERS["storage_options"])
MODULE_OPTION = _option(PARAMETERS["modules"])


def given_of(door: Door, options: Mapping[str, Any]) -> dict[str, Any]:
    """All values of a door, from what click made of the command line.

    Raises
    ------
    click.BadParameter
        If a text is not of its option's form.
    """
    given = {name: _value(name, value) for name, value in options.items() if name in door}
    return door.complete({name: value for name, value in given.items() if value is not None})


def _value(name: str, value: Any) -> Any:
    """A value of the type that flows take; None if it was not given."""
    if name == "storage_options":
        return pairs(value) or None
    if name == "modules":
        return list(value) or None
    if isinstance(value, tuple):
        return list(value) if len(value) > 1 else next(iter(value), None)
    return _from_json(name, value)


def _from_json(name: str, text: Any) -> Any:
    """The object that a text describes, where the parameter may be one."""
    may_be = any("dict" in repr(form.type) for form in PARAMETERS[name].forms)
    if not (may_be and isinstance(text, str) and text.lstrip().startswith("{")):
        return text
    try:
        return parse_json(text)
    except ValueError as error:
        flag = PARAMETERS[name].flag
        raise click.BadParameter(f"{flag} {text!r} is not valid JSON: {error}") from None


def as_typed(text: str) -> str:
    """A message of the engine with the options that were typed in place of its parameters.

    Examples
    --------
    >>> as_typed("on_nan='drop' is not allowed; name it in column_id, or see 'column_id'")
    "--on-nan='drop' is not allowed; name it in --column-id, or see 'column_id'"
    >>> as_typed("sink=1")
    'OUTPUT=1'
    """
    return _NAMES.sub(lambda found: _TYPED[found[0]], text)


#: Options of commands that are no parameters of flows.
_OF_COMMANDS = {"before": "--before", "max_age": "--max-age"}
_TYPED = {**{name: one.flag for name, one in PARAMETERS.items()}, **_ARGUMENTS, **_OF_COMMANDS}
#: Names that are no words of English, and others before an equals sign; never within quotes.
_NAMES = re.compile(
    r"(?<![\w.'\"`/-])(?:"
    rf"(?:{'|'.join(name for name in _TYPED if '_' in name)})(?![\w-]|\.\w)|"
    rf"(?:{'|'.join(name for name in _TYPED if '_' not in name)})(?==)"
    ")"
)


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Storage options from texts of the form KEY=VARIABLE.

    Raises
    ------
    click.BadParameter
        If a text is of another form, or a key is given twice.
    """
    found = {}
    for text in given:
        key, equals, variable = text.partition("=")
        if not (equals and key and variable):
            raise click.BadParameter(f"--storage-option {text!r} is not of the form KEY=VARIABLE")
        if key in found:
            raise click.BadParameter(f"--storage-option {key}=... is given twice; keep one of them")
        found[key] = variable
    return found
