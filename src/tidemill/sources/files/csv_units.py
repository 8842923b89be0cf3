"""Whether a text is a unit of measurement, as loggers write them below the names of columns."""

from __future__ import annotations

import re

__all__ = ["looks_like_unit"]

_PREFIX = "(?:da|[YZEPTGMkhdcmunpfa\u00b5\u03bc])"
_SYMBOL = (
    "(?:mol|cd|Hz|Pa|Wb|lm|lx|Bq|Gy|Sv|kat|bar|eV|Wh|Ah|VA|var|ohm|Ohm|Nm"
    "|[msgAKNJWCVFSTHlLtBb\u03a9\u2126])"
)
_WORDS = (
    "%|%RH|\u2030|ppm|ppb|pct|percent|\u00b0|\u00b0C|\u00b0F|\u00b0K|deg|degC|degF|deg_?C|deg_?F|"
    "celsius|kelvin|fahrenheit|degrees?|rad|sr|volts?|amps?|amperes?|watts?|met(?:er|re)s?|"
    "min|mins|minutes?|h|hr|hrs|hours?|d|days?|sec|secs|seconds?|millis|msec|usec|"
    "rpm|dB|dBm|dBA|pH|psi|ft|in|inch|mph|kmh|kph|kn|kt|knots|inHg|mmHg|hPa|lux|cal|kcal|hp|"
    "counts?|pcs|units?|bits?|bytes?|raw|id|ID|nr|no|text|string|str|float|int|integer|double|"
    "number|bool|date|time|datetime|timestamp|utc|UTC|local|iso|ISO|a[.]u[.]"
)
_FACTOR = rf"(?:{_PREFIX}?{_SYMBOL}|{_WORDS})(?:\^?[-+]?[0-9]|[\u00b2\u00b3\u2070-\u207e])?"
_UNIT = re.compile(rf"(?:1[/ ])?{_FACTOR}(?:[ */\u00b7.]{_FACTOR})*")


def looks_like_unit(text: str) -> bool:
    """Whether a text is a unit: SI with prefixes and powers, common others, or a type's name.

    Examples
    --------
    >>> [looks_like_unit(text) for text in ("m/s^2", "[degC]", "kWh", "%", "YYYY-MM-DD")]
    [True, True, True, True, True]
    >>> [looks_like_unit(text) for text in ("oops", "error", "1.5x", "")]
    [False, False, False, False]
    """
    bare = _as_latin(text).strip().strip("[]()<>").strip()
    is_pattern = re.fullmatch(r"(?:[YyMmDdHhSs]{1,4}[-/.: T]?){2,}", bare) is not None
    return is_pattern or _UNIT.fullmatch(bare) is not None


def _as_latin(text: str) -> str:
    """Text in which bytes that are not UTF-8 stand for characters of latin-1."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1") if _has_bytes(text) else text


def _has_bytes(text: str) -> bool:
    return any("\udc80" <= one <= "\udcff" for one in text)
