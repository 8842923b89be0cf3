"""What a run must leave in its sink, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def records(sink: Path) -> list[dict[str, Any]]:
    """The run records, oldest first."""
    return [json.loads(path.read_text()) for path in sorted((state(sink) / "records").iterdir())]


def state(sink: Path) -> Path:
    return sink / "_tidemill"


def lease(sink: Path, interval: str = "") -> dict[str, Any]:
    """The current lease of the sink, or of an interval of it."""
    return json.loads(max((state(sink) / "lease" / interval).glob("*.json")).read_text())


def is_given_back(sink: Path, interval: str) -> bool:
    """Whether the lease was given back; may be asked while its owner writes it anew."""
    try:
        return bool(lease(sink, interval)["released"])
    except (ValueError, FileNotFoundError):  # between two files of it
        return False


def committed_parts(sink: Path) -> int:
    """Parts with a commit marker."""
    return len(list(state(sink).glob("keys/*/parts/*.json")))


def attempt_marks(sink: Path) -> list[Path]:
    return list(state(sink).glob("keys/*/attempts/*.json"))


def assert_nothing_left(sink: Path, *, ended: bool = True) -> None:
    """The lease is given back; there is no spill, no attempt mark and no unfinished file."""
    if ended:
        assert lease(sink)["released"]
    left = [*attempt_marks(sink), *unfinished(sink), *state(sink).glob("keys/*/work/*")]
    assert [str(path) for path in left] == []


def unfinished(sink: Path) -> list[Path]:
    """Hidden files that never took their name."""
    return [path for path in sink.rglob("*") if path.name.startswith(".") or ".tmp" in path.name]
