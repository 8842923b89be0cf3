"""The child process in which :mod:`tidemill.execution.isolation` calculates a dangerous part."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from tidemill.execution.chunk import calculate_for_parent
from tidemill.storage.transient import is_transient

__all__ = ["die_with_parent", "exit_with_parent", "main"]


#: Seconds between two lines about the same range.
PROGRESS_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


def exit_with_parent() -> None:
    """Wait until the pipe from the parent closes, then end this process."""
    sys.stdin.read()
    os._exit(1)


def die_with_parent() -> None:
    """Let the system kill this process when its parent ends, whoever has the interpreter's lock."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


class _Announcements:
    """Tells the parent which range of ids is in work, and of its progress."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._told = 0.0

    def begin(self, first: int, last: int, predict: Callable[[], float]) -> None:
        self._send(range=[first, last], seconds=predict())
        self._told = time.monotonic()

    def progress(self) -> None:
        if time.monotonic() - self._told > PROGRESS_SECONDS:
            self._send(progress=True)
            self._told = time.monotonic()

    def end(self) -> None:
        self._send(done=True)


def main() -> None:
    """Carry out the request on standard input; print announcements and the result as JSON lines."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    output = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # keeps calculators' prints out of the JSON lines
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=exit_with_parent, daemon=True).start()

    def send(**message: object) -> None:
        output.write(json.dumps(message) + "\n")

    try:
        send(result=calculate_for_parent(request, _Announcements(send)))
    except Exception as error:  # noqa: BLE001  only a silent death is a sign of poison
        kind = type(error).__name__
        cause = error.__cause__ or error  # a calculator's own error is wrapped
        send(error=kind, message=str(error), transient=is_transient(error) or is_transient(cause))


if __name__ == "__main__":
    main()
