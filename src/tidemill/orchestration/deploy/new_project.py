"""A new project: the package's files of deployments, copied into a folder of the user.

Nothing here imports Prefect, so that `tidemill init` is quick.
"""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path

from tidemill.errors import ArgumentError, shorten

__all__ = ["FILE", "PACKAGED", "write_project"]

FILE = "prefect.yaml"
PACKAGED = Path(str(resources.files("tidemill.deployments")))


def write_project(folder: str | os.PathLike[str]) -> str:
    """Write a new project from the package's files; the next steps, in three lines.

    It is named after the folder, which keeps two projects on one server apart.

    Raises
    ------
    ArgumentError
        If one of the files exists already; then nothing is written.
    """
    target = Path(folder).absolute()
    content = {
        target / one.relative_to(PACKAGED): one.read_text(encoding="utf-8")
        for one in sorted(PACKAGED.rglob("*.yaml"))
        if "containers" not in one.relative_to(PACKAGED).parts  # of machines, not of a project
    }
    if there := [str(path) for path in content if path.exists()]:
        raise ArgumentError(
            f"{shorten(there)} would be overwritten; give another folder, or move what is there"
        )
    for path, text in content.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        own = text.replace("\nname: tidemill\n", f"\nname: {json.dumps(target.name)}\n", 1)
        path.write_text(own, encoding="utf-8")
    file = Path(folder) / FILE
    return (
        f"1. Edit {file}: source, columns, time zones, sinks and schedules; it runs as it is.\n"
        f"2. tidemill up {folder}    runs it here, with a server and a worker, until Ctrl-C\n"
        f"3. Or, if a server and a worker run already: tidemill deploy {file}"
    )
