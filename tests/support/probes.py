"""The tests' side of :mod:`probing_calculators`: commands for series, and their calls."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.calculators import registry

from .waiting import Running, until

MODULE = "probing_calculators"
FOLDER = Path(__file__).parent  # on PYTHONPATH of whoever imports the module


@contextmanager
def probing(folder: Path) -> Iterator[Probe]:
    """A new probe below ``folder``; this process finds the module as long as this lasts."""
    (folder / "probe").mkdir()
    sys.path.insert(0, str(FOLDER))
    try:
        yield Probe(folder / "probe")
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop(MODULE, None)
        registry._known.pop("probe", None)


@dataclass(frozen=True)
class Probe:
    """A folder in which calls are counted."""

    folder: Path

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the flow that call the probe beside a built-in calculator."""
        return {
            "settings": {"mean": None, "probe": [{"folder": str(self.folder)}]},
            "modules": [MODULE],
        }

    @property
    def options(self) -> list[str]:
        """The same for the command line."""
        path = self.folder / "settings.json"
        path.write_text(json.dumps(self.arguments["settings"]))
        return [f"--settings={path}", f"--module={MODULE}"]

    def tell(self, series: int | str, commands: str) -> None:
        """What the calculator does when it meets this series, or all series."""
        (self.folder / f"{series}.do").write_text(commands)

    def forget(self, series: int | str) -> None:
        (self.folder / f"{series}.do").unlink()

    def release(self, name: str) -> None:
        """Let those go on that wait for ``name``."""
        (self.folder / name).touch()

    @property
    def calls(self) -> list[tuple[int, int]]:
        """(process, series) of every call so far."""
        path = self.folder / "calls"
        if not path.exists():
            return []
        lines = [line.split() for line in path.read_text().splitlines()]
        return [(int(pid), int(series)) for pid, series in lines]

    @property
    def counts(self) -> Counter[int]:
        """Calls for each series."""
        return Counter(series for _, series in self.calls)

    @property
    def processes(self) -> set[int]:
        return {pid for pid, _ in self.calls}

    def wait_for_calls(
        self, n: int, running: Running | None = None, seconds: float = 170.0
    ) -> None:
        until(lambda: len(self.calls) >= n, seconds, f"{n} calls of the probe", running)
