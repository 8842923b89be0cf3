"""The embedded server gets time to start, unless the user decided."""

import os

from prefect.settings import get_current_settings

from tidemill.orchestration import slow_start
from tidemill.orchestration.slow_start import allow_slow_start


def test_prefect_s_own_limit_is_raised(monkeypatch):
    monkeypatch.delenv(slow_start._LIMIT, raising=False)
    server = get_current_settings().server.ephemeral
    monkeypatch.setattr(server, "startup_timeout_seconds", 20)
    allow_slow_start()
    assert os.environ[slow_start._LIMIT] == "120"
    assert server.startup_timeout_seconds == 120


def test_a_limit_of_the_environment_stays(monkeypatch):
    monkeypatch.setenv(slow_start._LIMIT, "7")
    allow_slow_start()
    assert os.environ[slow_start._LIMIT] == "7"
