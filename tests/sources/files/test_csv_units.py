"""Units are told from words that stand where a number should be."""

import pytest

from tidemill.sources.files.csv_units import looks_like_unit

UNITS = [
    *(
        "m",
        "s",
        "kg",
        "mm",
        "km/h",
        "m/s",
        "m/s2",
        "m/s^2",
        "m\u00b2",
        "\u00b0C",
        "degC",
        "[\u00b0C]",
    ),
    *(
        "(V)",
        "mA",
        "\u00b5A",
        "kWh",
        "kW",
        "MPa",
        "hPa",
        "mbar",
        "Nm",
        "N m",
        "N*m",
        "m s-1",
        "1/min",
    ),
    *("rpm", "%", "ppm", "Hz", "kHz", "W/m2", "g/cm3", "l/min", "L", "dB", "date", "time", "UTC"),
    *("hh:mm:ss", "yyyy-mm-dd", "DD.MM.YYYY", "int", "float"),
]
WORDS = [
    *("oops", "error", "fail", "kaputt", "offline", "n.a", "sensor", "high", "OK", "1.5", "12"),
    *("x", "foo", "nan?", "-", ""),
]


@pytest.mark.parametrize("text", UNITS)
def test_units(text):
    assert looks_like_unit(text)


@pytest.mark.parametrize("text", WORDS)
def test_words_that_are_no_units(text):
    assert not looks_like_unit(text)


def test_a_unit_in_latin_1_is_one_in_a_file_of_utf_8():
    assert looks_like_unit(b"\xb0C".decode("utf-8", "surrogateescape"))
