"""A storage that does not answer is remembered until it does, or for a minute."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from tidemill.storage import outages, stores
from tidemill.storage.outages import noted, silent_seconds
from tidemill.storage.stores import Store

URL = "s3://bucket/matrix"
SILENCE = ConnectionError("the storage gave no good answer for s3://bucket/500: timed out")
FAULT = ConnectionError("the storage gave no good answer for s3://bucket/a: 503 Slow Down")


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test moves on by itself."""
    now = [1000.0]
    monkeypatch.setattr(outages, "_outages", {})
    monkeypatch.setattr(outages, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def wait(seconds):
        now[0] += seconds

    return wait


def ask(url, clock, seconds, error=None):
    """A request that takes a while."""
    expected = nullcontext() if error is None else pytest.raises(type(error))
    with expected, noted(url):
        clock(seconds)
        if error is not None:
            raise error


def test_silence_counts_from_the_first_question(clock):
    ask(URL, clock, 30.0, SILENCE)
    clock(5.0)
    ask(URL, clock, 4.0, SILENCE)
    assert silent_seconds(URL) == 39.0
    assert silent_seconds("s3://bucket/other") == 39.0
    assert silent_seconds("s3://elsewhere/matrix") == silent_seconds("/data/matrix") == 0.0


def test_what_was_done_while_a_file_was_open_is_no_silence(clock):
    ask(URL, clock, 3600.0, SILENCE)
    assert silent_seconds(URL) == 40.0


@pytest.mark.parametrize("answer", [None, FileNotFoundError(2, "gone"), PermissionError(13, "no")])
def test_an_answer_ends_it(answer, clock):
    ask(URL, clock, 30.0, SILENCE)
    ask(URL, clock, 0.1, answer)
    assert silent_seconds(URL) == 0.0


def test_it_is_forgotten_when_nobody_asks(clock):
    ask(URL, clock, 30.0, SILENCE)
    clock(outages.FORGET_SECONDS)
    assert silent_seconds(URL) == 0.0
    ask(URL, clock, 10.0, SILENCE)
    assert silent_seconds(URL) == 10.0


def test_errors_of_a_server_that_answers_are_no_silence(clock):
    ask(URL, clock, 10.0, FAULT)
    ask(URL, clock, 10.0, OSError("of the caller"))
    ask("/data/matrix", clock, 10.0, SILENCE)
    assert silent_seconds(URL) == 0.0


def test_a_silent_storage_is_asked_briefly(clock, monkeypatch):
    asked = []
    monkeypatch.setattr(stores, "_remote_backend", lambda *limits: asked.append(limits[2:]))
    store = Store.open(URL)
    store._connect()
    ask(URL, clock, 30.0, SILENCE)
    store._connect()
    store.impatient()._connect()
    ask(URL, clock, 0.1)
    store._connect()
    patient, brief = stores._PATIENT, stores._HURRIED
    assert asked == [patient, brief, brief, patient]
