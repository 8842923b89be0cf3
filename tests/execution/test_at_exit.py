from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import threading
from tidemill.execution.at_exit import call_before_threads_end

END = threading.Event()
call_before_threads_end(print, "called")
call_before_threads_end(END.set)
threading.Thread(target=END.wait, daemon={daemon}).start()
"""
LATER = "import atexit\nfrom tidemill.execution.at_exit import call_before_threads_end as later\n"


@pytest.mark.parametrize(
    "program",
    [
        PROGRAM.format(daemon=False),
        "import threading\ndel threading._register_atexit\n" + PROGRAM.format(daemon=True),
        LATER + "atexit.register(later, print)\nprint('called')",
    ],
    ids=["before threads end", "a Python without it", "at the end"],
)
def test_it_is_called_at_the_end(program):
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout == "called\n"
    assert not shown.stderr
