"""Parameters of a deployment, checked as the flow's own door would, without its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tidemill.errors import InputError
from tidemill.planning.doors import SELECT, Door
from tidemill.planning.paths import is_path, relative_paths
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import calendar_of
from tidemill.recurring.retention import check_retention
from tidemill.selection.table_request import selection_request

__all__ = ["wrong_values"]


def wrong_values(door: Door, given: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Parameter and sentence for each value that a run would refuse, or that a worker misreads.

    Files, modules and the settings that need them are not looked at: the worker has them.

    Parameters
    ----------
    door : of the flow
    given : the parameters that are known before a run starts
    folder : of the file of deployments, for an example
    """
    for name, path in relative_paths(given):
        text = (
            f"{name}={path!r} is not allowed: a worker runs in another folder; give an absolute "
            f"path, such as {str(folder / path)!r}, one that begins with ~, or a URL"
        )
        yield name, text
    try:
        _check(door, given)
    except InputError as error:
        text = str(error)
        yield text.partition("=")[0], text


def _check(door: Door, given: Mapping[str, Any]) -> None:
    known = {one.name: given.get(one.name, "x" if one.is_required else one.default) for one in door}
    if "keeping" in door.groups:
        check_retention(known)
        return
    if door is SELECT:
        target = "x.csv" if known["target"] == "x" else known["target"]
        selection_request(known | {"target": target, "modules": None})
        return
    if "calendar" in door.groups:
        calendar_of(known)
    if is_path("settings", known["settings"]) or known["modules"]:
        known |= {"settings": "minimal", "kind_to_settings": None}
    make_request(
        **known | {"source": "x", "modules": None, "table": None, "query": None}, door=door
    )
