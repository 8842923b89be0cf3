"""In Prefect's log a caller's error is one sentence; at level DEBUG and for bugs there is more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pandas as pd
import pytest

from tidemill.errors import CalculationError, DataError, IntervalsError, SinkError
from tidemill.flows.extract import extract
from tidemill.orchestration.error_logs import OneSentence, shorten_errors

from ..support.api import runs_into


@pytest.fixture
def logged() -> Iterator[Callable[..., logging.LogRecord]]:
    """What becomes of an error that Prefect logs."""
    logger = logging.getLogger("tests.error_logs")
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger.addHandler(handler)
    logger.addFilter(shortens := OneSentence())

    def log(error: Exception, level: int = logging.INFO) -> logging.LogRecord:
        logger.setLevel(level)
        logger.error("Encountered exception during execution: %r", error, exc_info=error)
        return records[-1]

    yield log
    logger.removeFilter(shortens)
    logger.removeHandler(handler)


def test_an_error_of_the_caller_is_its_sentence(logged):
    record = logged(SinkError("the sink is a file; choose another"))
    assert record.getMessage() == "SinkError: the sink is a file; choose another"
    assert (record.exc_info, record.levelno) == (None, logging.ERROR)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a bug"),
        OSError("disk"),
        caused(CalculationError("mine failed"), ZeroDivisionError()),
        caused(IntervalsError("1 of 2 failed"), CalculationError("mine failed")),
    ],
)
def test_other_errors_keep_their_traceback(error, logged):
    record = logged(error)
    assert record.exc_info[1] is error
    assert record.getMessage().startswith("Encountered exception")


def test_at_level_debug_there_is_a_traceback(logged):
    assert logged(SinkError("no"), logging.DEBUG).exc_info is not None


def test_loggers_get_one_filter_however_often_they_are_asked():
    shorten_errors()
    shorten_errors()
    for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine"):
        found = [one for one in logging.getLogger(name).filters if isinstance(one, OneSentence)]
        assert len(found) == 1


def test_the_log_of_a_failed_run_has_a_sentence_and_no_traceback(prefect_server, tmp_path, sink):
    frame = pd.DataFrame({"id": [1, 1, 2], "time": [0, 1, 0], "x": [1.0, None, 2.0]})
    frame.to_parquet(tmp_path / "in.parquet")
    with pytest.raises(DataError, match="on_nan") as caught:
        extract(str(tmp_path / "in.parquet"), str(sink), "id", "time", settings="minimal",
                cluster="threads:1", on_nan="raise")  # fmt: skip
    sentence = f"DataError: {caught.value}"
    runs = runs_into(sink)
    assert len(runs.runs) == 2
    for run in runs.runs:
        assert run.state.is_failed()
        assert run.state.message.endswith(sentence)
    runs.wait_for_log('Finished in state Failed("Failed: ')  # the outer run's last line
    lines = [one.message for one in runs.logs()]
    assert sentence in lines
    assert not [line for line in lines if "Traceback" in line]
