"""Ports that are free or taken, and by whom."""

import os
import socket

import pytest

from tidemill.orchestration.stack.ports import LOOPBACK, free_port, is_taken, listener


@pytest.fixture
def taken():
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_is_taken_while_somebody_listens(taken):
    assert is_taken(LOOPBACK, taken)
    assert is_taken("0.0.0.0", taken)  # noqa: S104  it would be there as well
    assert not is_taken(LOOPBACK, free_port(taken))


def test_a_port_that_was_left_a_moment_ago_is_free():
    """Its connections still wait for their end: a server that is started again may have it."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)) as client:
            server.accept()[0].close()  # who closes first waits
            client.recv(1)
    assert not is_taken(LOOPBACK, port)


def test_the_preferred_port_is_given_if_it_is_free(taken):
    free = free_port(taken)
    assert free != taken
    assert free_port(free) == free


def test_who_listens_is_named(taken):
    assert listener(taken).startswith(f"process {os.getpid()} (")


def test_an_address_of_another_machine_cannot_be_used():
    with pytest.raises(OSError, match="assign"):
        is_taken("203.0.113.1", 4200)
