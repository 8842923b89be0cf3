"""Settings that are changed for a while: as Prefect changes them, but read once."""

from __future__ import annotations

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    Settings,
    get_current_settings,
    temporary_settings,
)

from tidemill.orchestration import client_settings
from tidemill.orchestration.client_settings import with_settings


def test_the_values_are_those_that_prefect_would_make():
    updates = {PREFECT_API_URL: "http://127.0.0.1:1/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(updates) as wanted, with_settings({}):
        pass
    with with_settings(updates):
        assert get_current_settings() == wanted
    assert PREFECT_CLIENT_MAX_RETRIES.value() != 0


def test_they_are_made_once_for_the_same_base(monkeypatch):
    made = []
    real = Settings.copy_with_update

    def copy_with_update(self, *arguments, **named):
        made.append(self)
        return real(self, *arguments, **named)

    monkeypatch.setattr(client_settings, "_made", {})
    monkeypatch.setattr(Settings, "copy_with_update", copy_with_update)
    for _ in range(3):
        with with_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            assert PREFECT_CLIENT_MAX_RETRIES.value() == 0
    assert len(made) == 1
    with with_settings({PREFECT_API_URL: "http://a/api"}):
        with with_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            assert PREFECT_API_URL.value() == "http://a/api"
            assert PREFECT_CLIENT_MAX_RETRIES.value() == 0
        assert PREFECT_CLIENT_MAX_RETRIES.value() != 0
    assert len(made) == 3


def test_few_are_kept(monkeypatch):
    monkeypatch.setattr(client_settings, "_made", {})
    for retries in range(2 * client_settings._MOST):
        with with_settings({PREFECT_CLIENT_MAX_RETRIES: retries}):
            assert PREFECT_CLIENT_MAX_RETRIES.value() == retries
    assert len(client_settings._made) <= client_settings._MOST
