"""Which time zone a person may have meant."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest

from tidemill.model.zones import likely_zone


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Buenos Aires", "America/Buenos_Aires"),
        ("utc", "UTC"),
        ("Tokio", None),
        ("Central European Time", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_a_name_that_is_nearly_right_is_understood(name, zone):
    assert likely_zone(name) == zone


def test_every_city_leads_to_a_zone():
    zones = available_timezones()
    assert {likely_zone(zone.rpartition("/")[2]) for zone in zones} <= zones
