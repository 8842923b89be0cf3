"""Scripts that wait in turns, in one thread: what they do happens side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import NamedTuple

POLL_SECONDS = 0.1


class Wait(NamedTuple):
    """What a script waits for."""

    condition: Callable[[], object]
    what: str
    seconds: float = 240.0  # of a process of its own, on a slow machine


Script = Generator[Wait, None, None]


def play(*scripts: Script) -> None:
    """Go on with each script whenever what it waits for has come, until all have ended."""
    waiting: dict[Script, tuple[Wait, float]] = {}

    def go_on(script: Script) -> None:
        waiting.pop(script, None)
        for wait in script:
            waiting[script] = (wait, time.monotonic() + wait.seconds)
            return

    for script in scripts:
        go_on(script)
    try:
        while waiting:
            for script, (wait, give_up) in [*waiting.items()]:
                if wait.condition():
                    go_on(script)
                elif time.monotonic() > give_up:
                    others = [one.what for one, _ in waiting.values()]
                    raise AssertionError(f"waited in vain for {wait.what}; all wait for {others}")
            time.sleep(POLL_SECONDS)
    finally:
        for script in scripts:
            script.close()
