"""Time zones by their names, and which one a person may have meant."""

from __future__ import annotations

import difflib
from zoneinfo import available_timezones

__all__ = ["likely_zone"]


def likely_zone(name: object) -> str | None:
    """The IANA name that a person may have meant; None if there is none or no single one.

    Examples
    --------
    >>> likely_zone("Berlin"), likely_zone("new york"), likely_zone("Europe/Berln")
    ('Europe/Berlin', 'America/New_York', 'Europe/Berlin')
    >>> likely_zone("Middle Earth")
    """
    if not isinstance(name, str):
        return None
    wanted = "_".join(name.casefold().split())
    known = {zone.casefold(): zone for zone in available_timezones()}
    if wanted in known:
        return known[wanted]
    cities = [zone for plain, zone in known.items() if plain.rpartition("/")[2] == wanted]
    if cities:
        return min(cities, key=lambda zone: (len(zone), zone))
    close = difflib.get_close_matches(wanted, sorted(known), n=1, cutoff=0.85)
    return known[close[0]] if close else None
