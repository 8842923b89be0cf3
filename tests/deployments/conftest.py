"""A Prefect server with all its services, and the flows deployed on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..support import deployed as support


@pytest.fixture(scope="module")
def services_server(tmp_path_factory) -> Iterator[str]:
    """URL of a server that runs automations, which the session's server does not."""
    with support.server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
def flows(services_server, tmp_path_factory) -> Iterator[support.Deployed]:
    """All flows, deployed."""
    with support.deployed(tmp_path_factory.mktemp("project")) as flows:
        yield flows
