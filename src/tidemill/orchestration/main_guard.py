"""Refuse worker processes to a script that would start itself again in each of them.

Worker processes import the script that started them. What a script does outside of
``if __name__ == "__main__":`` it would do in every worker too: start a flow that starts workers.
"""

from __future__ import annotations

import ast
import multiprocessing
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

import dask

from tidemill.errors import ClusterError
from tidemill.orchestration.cluster import ClusterSpec

__all__ = ["check_main_guard", "is_guarded"]


def check_main_guard(spec: ClusterSpec) -> None:
    """Refuse a cluster of processes if the main script does not guard the call.

    Raises
    ------
    ClusterError
        With the lines to add.
    """
    if not _starts_processes(spec):
        return
    importing = getattr(multiprocessing.current_process(), "_inheriting", False)
    line = _line_of_main()
    if not importing and (line is None or is_guarded(_text_of_main(), line)):
        return
    error = ClusterError(
        f"cluster={spec.text!r} starts processes that import this script, and it would start "
        'itself again in each of them: put the call below `if __name__ == "__main__":`, or use '
        "cluster='threads'"
    )
    _end_with(error)
    raise error


def is_guarded(script: str, line: int) -> bool:
    r"""Whether an ``if`` about ``__name__`` stands above or around a line of a script.

    Examples
    --------
    >>> script = 'run()\nif __name__ == "__main__":\n    run()\n'
    >>> is_guarded(script, 1), is_guarded(script, 3)
    (False, True)
    """
    try:
        tree = ast.parse(script)
    except SyntaxError:  # it runs, so it is not Python's own syntax: do not judge
        return True
    tests = (one.test for one in ast.walk(tree) if isinstance(one, ast.If) and one.lineno <= line)
    names = (name for test in tests for name in ast.walk(test) if isinstance(name, ast.Name))
    return any(name.id == "__name__" for name in names)


def _starts_processes(spec: ClusterSpec) -> bool:
    """Whether workers are processes that import the main script."""
    if dask.config.get("distributed.worker.multiprocessing-method", "spawn") == "fork":
        return False
    if spec.kind != "file":
        return spec.kind == "processes"
    is_local = str(spec.keywords.get("cluster_class", "")).endswith("LocalCluster")
    return is_local and spec.keywords.get("cluster_kwargs", {}).get("processes") is not False


def _main() -> ModuleType | None:
    """The main script as a module; None if workers would not import it."""
    main = sys.modules.get("__main__")
    return main if getattr(main, "__file__", None) else None


def _text_of_main() -> str:
    try:
        return Path(str(getattr(_main(), "__file__", ""))).read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _line_of_main() -> int | None:
    """The line that the main script is at while it runs; None if it does not run."""
    main = _main()
    if main is None:
        return None
    frames = sys._current_frames()  # noqa: SLF001  public in spite of its name
    frame = frames.get(threading.main_thread().ident or 0)
    for one in _outwards(frame):
        if one.f_globals is main.__dict__ and one.f_code.co_name == "<module>":
            return one.f_lineno
    return None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _end_with(error: ClusterError) -> None:
    """If the error ends the script, show its sentence without Prefect's part of the stack."""
    before = sys.excepthook

    def show(kind: type[BaseException], raised: BaseException, trace: TracebackType | None) -> Any:
        if raised is not error:
            return before(kind, raised, trace)
        return print(f"{kind.__name__}: {raised}", file=sys.stderr)  # noqa: T201  it is the end

    sys.excepthook = show
