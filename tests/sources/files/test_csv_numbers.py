"""Numbers as people write them: what decides, what is refused, and that no bit is lost."""

import numpy as np
import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.sources.files.csv_numbers import (
    NULL_WORDS,
    Numbers,
    Points,
    exact_integers,
    find_numbers,
    parse_numbers,
)


@pytest.mark.parametrize(
    ("texts", "decimal", "thousands"),
    [
        ([], ".", None),
        (["5", "-12"], ".", None),
        (["1.5"], ".", None),
        (["1,5"], ",", None),
        (["0,123"], ",", None),
        (["1.234"], ".", None),
        (["1,234", "0.5"], ".", ","),
        (["1.234", "0,5"], ",", "."),
        (["1,234,567"], ".", ","),
        (["1.234.567"], ",", "."),
        (["-1.234,50"], ",", "."),
        (["1,234.5"], ".", ","),
        (["1 234,5"], ",", " "),
        (["1'234.5"], ".", "'"),
        (["1\u202f234"], ".", "\u202f"),
        (["1,5e3"], ",", None),
        (["01.02.2024", "text"], ".", None),
    ],
)
def test_what_the_first_numbers_show(texts, decimal, thousands):
    found = find_numbers(texts, "a.csv")
    assert (found.decimal, found.thousands) == (decimal, thousands)


@pytest.mark.parametrize(
    "texts", [["1,234"], ["1 234", "1,234"], ["0.5", "0,5"], ["1'234", "1 234"], ["1.5", "1.234,5"]]
)
def test_what_they_leave_open(texts):
    with pytest.raises(SourceError, match=r"a\.csv: .*csv_decimal.*csv_thousands"):
        find_numbers(texts, "a.csv")


def test_what_the_user_says_counts():
    assert find_numbers(["1,234"], "a.csv", decimal=",").thousands is None
    assert find_numbers(["1,234"], "a.csv", decimal=".").thousands == ","
    assert find_numbers(["1,234"], "a.csv", thousands=",").decimal == "."
    assert find_numbers(["1.234"], "a.csv", thousands=".").decimal == ","


@pytest.mark.parametrize("form", ["{!r}", " {!r}", "+{!r}"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_floats_read_back_bit_for_bit(form, decimal):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 0x7FF0 << 48, 2000, dtype=np.int64)
    values = bits.view(np.float64)
    texts = pa.array([form.format(float(x)).replace(".", decimal) for x in values])
    found = parse_numbers(texts, Numbers(decimal), "x", 1)
    np.testing.assert_array_equal(np.asarray(found).view(np.int64), bits)


def test_points_are_looked_at_in_all_rows():
    points = Points("a.csv")
    points.add(pa.array(["1", None, "-2.345 "]))
    with pytest.raises(SourceError, match=r"'-2\.345' is -2345 or -2\.345"):
        points.check()
    points.add(pa.array(["2.5"]))
    points.check()


def test_a_number_may_stand_for_a_missing_value():
    numbers = find_numbers(["1", "-999"], "a.csv", nulls=["-999"])
    found = parse_numbers(pa.array(["1", "-999", " -999 ", "-9990"]), numbers, "x", 1)
    assert found.to_pylist() == [1.0, None, None, -9990.0]


@pytest.mark.parametrize(("thousands", "decimal"), [(",", "."), (".", ","), (" ", ","), ("'", ".")])
def test_grouped_numbers_read_back(thousands, decimal):
    values = np.random.default_rng(1).integers(0, 10**12, 500) / 128
    texts = [f"{x:,.7f}".translate(str.maketrans({",": thousands, ".": decimal})) for x in values]
    found = parse_numbers(pa.array(texts), Numbers(decimal, thousands), "x", 1)
    np.testing.assert_array_equal(np.asarray(found), values)


@pytest.mark.parametrize("text", ["1.23,5", "1,234.5", "1.2345", ".234.567", "12.34.567", "01.234"])
def test_wrong_groups_are_refused(text):
    with pytest.raises(SourceError, match=f"x, row 7: '{text}' is not a number"):
        parse_numbers(pa.array(["1.234,5", text]), Numbers(",", "."), "x", 6)


def test_words_for_a_missing_value():
    words = [*NULL_WORDS, *(f" {word} " for word in NULL_WORDS)]
    found = parse_numbers(pa.array([*words, "1"]), Numbers(), "x", 1)
    assert np.isnan(np.asarray(found)[:-1]).all()
    assert found[-1].as_py() == 1.0
    with pytest.raises(SourceError, match=r"row 1: 'gone' is not a number.*csv_null"):
        parse_numbers(pa.array(["gone"]), Numbers(), "x", 1)


@pytest.mark.parametrize("text", ["0", "-1", "9223372036854775807", "-9223372036854775808"])
def test_integers_that_read_back_as_written(text):
    assert exact_integers(pa.array([text])).to_pylist() == [int(text)]


@pytest.mark.parametrize(
    "text", ["", "-0", "00", "+1", "1.0", "1e3", "0x10", " 1", "1_000", "9223372036854775808", "a"]
)
def test_texts_that_do_not(text):
    assert exact_integers(pa.array(["1", text])) is None
