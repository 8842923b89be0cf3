"""Work is repeated after transient errors only, as often as allowed, and a stop ends that."""

from __future__ import annotations

import os
from concurrent.futures import CancelledError

import pytest

from tidemill.errors import (
    ArgumentError,
    CheckError,
    ClusterError,
    LeaseLostError,
    SinkBusyError,
    SinkError,
    SourceChangedError,
    SourceError,
    UnfinishedFileError,
    UnfitWorkerError,
)
from tidemill.recurring.retry import is_retryable, with_retries

from ..support.daily import DAYS, NAMES, known, run


class Attempts:
    """Raises one error after the other, then returns; counts."""

    def __init__(self, *errors):
        self.errors, self.made = list(errors), 0

    def __call__(self):
        self.made += 1
        if self.made <= len(self.errors):
            raise self.errors[self.made - 1]
        return "done"


@pytest.mark.parametrize(("failures", "retries"), [(0, 0), (0, 2), (1, 1), (2, 2), (2, 5)])
def test_it_ends_with_the_first_success_after_a_sleep_each(failures, retries):
    attempt, slept = Attempts(*[ConnectionError("lost")] * failures), []
    assert with_retries(attempt, retries, 7.5, slept.append) == "done"
    assert attempt.made == failures + 1
    assert slept == [7.5] * failures


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_last_error_is_raised_when_no_retry_is_left(retries):
    errors = [ConnectionError(str(number)) for number in range(9)]
    attempt = Attempts(*errors)
    with pytest.raises(ConnectionError, match=f"^{retries}$"):
        with_retries(attempt, retries, 0.0)
    assert attempt.made == retries + 1


def test_another_error_is_raised_at_once():
    attempt, slept = Attempts(ConnectionError("lost"), KeyError("bug")), []
    with pytest.raises(KeyError):
        with_retries(attempt, 9, 1.0, slept.append)
    assert (attempt.made, slept) == (2, [1.0])


def test_a_stop_while_sleeping_ends_the_repetitions():
    def stop(_seconds):
        raise CancelledError

    attempt = Attempts(ConnectionError("lost"))
    with pytest.raises(CancelledError):
        with_retries(attempt, 9, 1.0, stop)
    assert attempt.made == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionError("reset"), True),
        (TimeoutError("slow"), True),
        (ClusterError("no worker"), True),
        (SinkBusyError("another run"), True),
        (SourceChangedError("rewritten"), True),
        (UnfinishedFileError("half"), True),
        (SourceError("damaged"), False),
        (UnfitWorkerError("numpy"), False),
        (LeaseLostError("taken"), False),
        (SinkError("another table"), False),
        (CheckError("rows"), False),
        (ArgumentError("x=1"), False),
        (KeyError("bug"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_errors_that_may_be_gone_the_next_time(error, expected):
    assert is_retryable(error) is expected


def test_a_file_that_is_still_being_written_is_looked_at_again(source, table):
    path = source / f"{DAYS[1]}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with_retries(
        lambda: run(source, table, DAYS[0]), 1, 0.0, sleep=lambda _: path.write_bytes(whole)
    )
    assert list(known(table)) == [NAMES[0]]


def test_a_damaged_file_that_nobody_writes_to_fails_at_once(source, table):
    path = source / f"{DAYS[1]}.parquet"
    path.write_bytes(path.read_bytes()[:100])
    os.utime(path, (0, 0))
    slept = []
    with pytest.raises(SourceError, match=path.name):
        with_retries(lambda: run(source, table, DAYS[0]), 9, 0.0, slept.append)
    assert slept == []
