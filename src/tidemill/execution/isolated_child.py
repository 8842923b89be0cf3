"""The child process that :mod:`tidemill.execution.isolation` starts for a part that may kill it."""

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
    """Carry out the request on standard input; announcements and result as JSON lines."""
    speak = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a calculator prints does not mix with the JSON lines
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()

    def say(**said: object) -> None:
        speak.write(json.dumps(said) + "\n")

    try:
        result = calculate_for_parent(request, lambda first, last: say(range=[first, last]))
        say(result=result)
    except Exception as error:  # noqa: BLE001  only a death without a word speaks of poison
        kind = type(error).__name__
        cause = error.__cause__ or error  # a calculator's own fault comes wrapped
        say(error=kind, message=str(error), transient=is_transient(error) or is_transient(cause))


if __name__ == "__main__":
    main()
