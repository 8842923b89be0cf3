"""The command that does what a flow was asked for: to paste into a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tidemill.planning.doors import Door
from tidemill.planning.parameters import FlowParameter
from tidemill.planning.paths import is_path

__all__ = ["command_line", "options_of"]

#: Positional arguments of every command.
PLACED = ("source", "sink", "matrix")


def command_line(door: Door, given: Mapping[str, Any]) -> str:
    """The command that repeats a run.

    Values of secrets are never among them: storage options name variables of the environment.

    Parameters
    ----------
    door : of the flow
    given : the parameters of its run; those with their default value are left out

    Examples
    --------
    >>> from tidemill.planning.doors import EXTRACT
    >>> given = {"source": ["a.csv", "b c.csv"], "sink": "out", "column_id": "id"}
    >>> command_line(EXTRACT, given)
    "tidemill extract a.csv 'b c.csv' out --column-id id"
    """
    placed = [given[name] for name in PLACED if name in door]
    arguments = [x for one in placed for x in (one if isinstance(one, list | tuple) else [one])]
    changed = {
        one.name: given[one.name]
        for one in door
        if one.name in given and given[one.name] != one.default
    }
    words = ["tidemill", door.name, *arguments, *options_of(door, changed, PLACED)]
    return shlex.join(map(str, words))


def options_of(
    door: Door, given: Mapping[str, Any], without: Collection[str] = ()
) -> Iterator[str]:
    """The options that pass values to a door's command; flags only if they are set.

    Parameters
    ----------
    door : of the command
    given : values by name; those of other doors are left out
    without : names that are left out too
    """
    for parameter in door:
        value = given.get(parameter.name)
        if parameter.name in without or value is None or value in ([], {}, ()):
            continue
        if isinstance(value, bool):
            yield from [parameter.flag] * value
            continue
        for text in _texts(parameter, value):
            yield from (parameter.flag, text)


def _texts(parameter: FlowParameter, value: Any) -> Iterator[str]:
    """The option values that pass a value to the command."""
    name = parameter.name
    if name == "storage_options":
        yield from (f"{option}={variable}" for option, variable in value.items())
    elif isinstance(value, list | tuple):
        yield from (str(one) for one in value)
    elif isinstance(value, Mapping):
        yield json.dumps(value)
    elif is_path(name, value):  # the command may run in another folder
        yield str(Path(value).expanduser().absolute())
    else:
        yield str(value)
