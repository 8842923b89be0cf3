"""Requests to stop, as the command takes them."""

from __future__ import annotations

import signal

import pytest

from tidemill.cli.stopping import Terminated, stoppable


def test_sigterm_stops_as_ctrl_c_does_and_its_handler_goes_with_the_run():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), stoppable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    assert issubclass(Terminated, KeyboardInterrupt)
