"""Log lines of the engine are lines, whatever their arguments hold."""

from __future__ import annotations

from pathlib import Path

import tidemill
from tidemill.model.logs import engine_log

from ..support.hostile import HOSTILE


def test_a_log_line_is_one_line(caplog):
    log = engine_log("tidemill.tests.logs")
    assert engine_log("tidemill.tests.logs") is log
    for text in HOSTILE:
        log.warning("interval %s: %d rows", text, 3)
    assert len(log.filters) == 1
    for line in caplog.messages:
        assert line.isprintable()
    assert caplog.messages[0] == "interval a b: 3 rows"


def test_a_traceback_keeps_its_lines_and_obeys_no_terminal(caplog):
    log = engine_log("tidemill.tests.logs")
    try:
        int("wrong\x1b[2J\u202e")
        {}["wrong\x1b[2J"].close()
    except (ValueError, KeyError):
        log.exception("failed")
    shown = caplog.text.splitlines()
    assert len(shown) > 3
    assert all(line.isprintable() for line in shown)


def test_every_module_of_the_engine_logs_that_way():
    folder = Path(tidemill.__file__).parent
    others = [
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if "log = logging.getLogger(" in path.read_text()
    ]
    assert others == ["model/logs.py"]
