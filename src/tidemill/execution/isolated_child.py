"""The child process in which :mod:`tidemill.execution.isolation` calculates a dangerous part."""

from __future__ import annotations

import json
import os
import sys
import threading

from tidemill.execution.chunk import calculate_for_parent
from tidemill.storage.transient import is_transient

__all__ = ["main"]


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Carry out the request on standard input; print announcements and the result as JSON lines."""
    output = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # keeps calculators' prints out of the JSON lines
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()

    def send(**message: object) -> None:
        output.write(json.dumps(message) + "\n")

    try:
        result = calculate_for_parent(request, lambda first, last: send(range=[first, last]))
        send(result=result)
    except Exception as error:  # noqa: BLE001  only a silent death is a sign of poison
        kind = type(error).__name__
        cause = error.__cause__ or error  # a calculator's own error is wrapped
        send(error=kind, message=str(error), transient=is_transient(error) or is_transient(cause))


if __name__ == "__main__":
    main()
