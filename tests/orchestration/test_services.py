"""Prefect's services end with the process, and say once that they can send nothing."""

from __future__ import annotations

import logging
import socket
import sys

import pytest

from tidemill.orchestration.services import SAID, _Once

from ..support import programs

SCRIPT = """
import time
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL
from tidemill.orchestration.services import end_with_process

APILogWorker.instance().send({"message": "nobody hears this", "__payload_size__": 20})
end_with_process(PREFECT_API_URL.value())
time.sleep(3)  # the request has begun
print("the end of the script")
"""


def record(text="Service %r failed to process item %r"):
    return logging.LogRecord("some", logging.ERROR, "", 0, text, ("EventsWorker", "x"), None)


def test_that_nothing_can_be_sent_is_said_once_and_without_the_event():
    once, first = _Once(), record()
    others = record(), record("Unable to connect to %r. Please check %r")
    assert [once.filter(one) for one in (first, *others)] == [True, False, False]
    assert (first.getMessage(), first.levelno) == (SAID, logging.WARNING)
    assert once.filter(record("something else of %r and %r"))


@pytest.mark.slow
def test_a_process_ends_although_its_log_waits_for_a_silent_server():
    with socket.socket() as silent:  # it takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with programs.program([sys.executable, "-c", SCRIPT], {"PREFECT_API_URL": url}) as one:
            one.says("the end of the script")
            one.finishes(60)  # without the limit: minutes


LINES = """
import time
from prefect.logging.handlers import APILogWorker
from tidemill.orchestration.services import say_once

for _ in range(3):
    APILogWorker.instance().send({"message": "nobody hears this", "__payload_size__": 20})
    say_once()
    time.sleep(0.7)
"""


def test_a_process_says_once_that_its_log_cannot_be_sent():
    environment = {
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.1",
    }
    with programs.program([sys.executable, "-c", LINES], environment) as one:
        one.finishes(120)
        assert one.output.count(SAID) == 1
        assert "Error logging to API" not in one.output
