"""What a process of the stack prints: a file that does not grow without end, and its last lines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["ChildLog"]

#: Bytes after which a file is emptied; what it held stays in a second one beside it.
MOST_BYTES = 32 << 20
_TAIL_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class ChildLog:
    """The log of one process, in which each start goes on where the last one ended."""

    path: Path

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, for a process that starts. Flows write there: only its owner may read it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_APPEND
        )  # each line goes to the end, wherever that is
        with open(os.open(self.path, flags, 0o600), "ab") as file:  # noqa: PTH123  of a descriptor
            yield file

    def size(self) -> int:
        """Bytes that it holds now."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def last_lines(self, start: int, count: int = 12) -> list[str]:
        """The last lines that hold something, of those after the byte ``start``."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(start, self.size() - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]

    def shorten(self) -> None:
        """Empty a file that has become too large; a few lines may be lost, the process goes on."""
        if self.size() > MOST_BYTES:
            with suppress(OSError):
                shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
                os.truncate(self.path, 0)
