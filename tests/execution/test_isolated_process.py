"""One child: what it says, and what it ended of."""

from __future__ import annotations

from tidemill.errors import CalculationError, DataError
from tidemill.execution import isolated_process
from tidemill.execution.isolated_process import Ending, Fate


def test_an_error_that_may_pass_is_no_poison():
    said = {"error": "ConnectionResetError", "message": "gone", "transient": True}
    assert isinstance(isolated_process._as_error(said), ConnectionError)
    said = {"error": "DataError", "message": "inf", "transient": False}
    assert isinstance(isolated_process._as_error(said), DataError)
    said = {"error": "ZeroDivisionError", "message": "zero", "transient": False}
    assert isinstance(isolated_process._as_error(said), CalculationError)


def test_only_the_range_in_work_can_be_the_reason():
    """A child may end between two ranges too: while it reads, or writes what it calculated."""
    ending = Ending()
    isolated_process._take(ending, {"range": [3, 9], "seconds": 0.5})
    isolated_process._take(ending, {"progress": True})
    assert (ending.last, ending.ranges, ending.predicted) == ((3, 9), 1, 0.5)
    isolated_process._take(ending, {"done": True})
    assert (ending.last, ending.ranges) == (None, 1)


def test_the_signal_is_named():
    assert isolated_process._name(11) == "SIGSEGV"
    assert isolated_process._name(40) == "no name"
    assert Ending().fate is Fate.DIED
