"""Numbers as people write them: decimal comma, thousands, words for a missing value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.errors import DataError, SourceError

__all__ = [
    "NULL_WORDS",
    "Numbers",
    "Points",
    "exact_integers",
    "find_numbers",
    "is_null_word",
    "looks_like_number",
    "looks_like_time",
    "parse_numbers",
]

#: Texts that stand for a missing value, in columns of values only.
NULL_WORDS = (
    *("", "-", "--", "---", "?", "NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NaN", "nan"),
    *("NAN", "-NaN", "-nan", "null", "NULL", "Null", "None", "none", "NONE", "NaT", "nil", "."),
)
LARGEST_INTEGER = 2**53
#: Spaces that separate thousands: plain, no-break and narrow no-break.
SPACES = (" ", "\xa0", "\u202f")
THOUSANDS = (",", ".", "'", "\u2019", *SPACES)
_GROUPED = r"[1-9]\d{0,2}(?:%s\d{3})+"
_LOOSE = re.compile(
    r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+|\d{1,3}(?:[.,'\u2019 \xa0\u202f]\d{3})+(?:[.,]\d*)?)"
    r"(?:[eE][-+]?\d+)?|[-+]?inf(?:inity)?",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ,;_-].*)?|\d{1,2}:\d{2}(?::\d{2}.*)?"
    r"|\d{1,2}[-/. ][A-Za-z]{3,9}\.?[-/. ]\d{2,4}.*|\d{8}[T _]\d{4,6}.*"
)
_BOOLEANS = {"true": "1", "false": "0"}


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the numbers of a file are written."""

    decimal: str = "."
    thousands: str | None = None
    nulls: tuple[str, ...] = NULL_WORDS

    @property
    def has_numeric_nulls(self) -> bool:
        """Whether a word for a missing value is a number, such as -999."""
        return any(map(looks_like_number, self.nulls[len(NULL_WORDS) :]))

    @property
    def pattern(self) -> str:
        """The numbers that are allowed, as a regular expression of RE2.

        Examples
        --------
        >>> bool(re.fullmatch(Numbers(",", ".").pattern, "1.234,5"))
        True
        """
        whole = r"\d+"
        if self.thousands is not None:
            whole = rf"(?:\d+|{_GROUPED % re.escape(self.thousands)})"
        point = re.escape(self.decimal)
        number = rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?"
        return rf"^[-+]?(?:{number}|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)$"


def looks_like_number(text: str) -> bool:
    """Whether a text is a number in one of the ways of writing them.

    Examples
    --------
    >>> [looks_like_number(text) for text in ("1.234,5", "1'000", "1.2.2024", "12e")]
    [True, True, False, False]
    """
    return _LOOSE.fullmatch(text.strip()) is not None


def looks_like_time(text: str) -> bool:
    """Whether a text is a date or a time of day.

    Examples
    --------
    >>> [looks_like_time(text) for text in ("2024-01-01 00:00", "1.2.2024", "12:30", "1.5")]
    [True, True, True, False]
    """
    return _TIME.fullmatch(text.strip()) is not None


def is_null_word(text: str, nulls: Sequence[str] = NULL_WORDS) -> bool:
    """Whether a text stands for a missing value.

    Examples
    --------
    >>> is_null_word(" NA "), is_null_word("0")
    (True, False)
    """
    return text.strip() in nulls


# How numbers are written, from those of the first lines


@dataclass(slots=True)
class _Evidence:
    """Texts that show the decimal or the thousands separator, or that leave it open."""

    decimals: dict[str, str]
    thousands: dict[str, str]
    is_open: dict[str, str]  # separator to a text such as 1,234


def find_numbers(
    texts: Iterable[str],
    name: str,
    decimal: str | None = None,
    thousands: str | None = None,
    nulls: Sequence[str] = (),
) -> Numbers:
    """Tell how numbers are written from some of them.

    Parameters
    ----------
    texts : numbers in the columns that are read
    name : the file, for messages
    decimal, thousands : what the user says; None: told from the texts
    nulls : further words for a missing value

    Raises
    ------
    SourceError
        If the texts contradict each other, or leave open what a comma means.

    Examples
    --------
    >>> find_numbers(["1.234", "0,5"], "a.csv").thousands
    '.'
    >>> find_numbers(["1,234"], "a.csv")
    Traceback (most recent call last):
    tidemill.errors.SourceError: a.csv: '1,234' is 1234 or 1.234: say csv_decimal=',' if the comma \
begins the decimals (--csv-decimal), csv_thousands=',' if it separates thousands \
(--csv-thousands)
    """
    seen = _Evidence({}, {}, {})
    for text in texts:
        _add(seen, text.strip().lstrip("+-"))
    found = decimal or _decimal(seen, thousands, name)
    return Numbers(found, thousands or _thousands(seen, found, name), (*NULL_WORDS, *nulls))


def _add(seen: _Evidence, text: str) -> None:
    separators = [one for one in text if one in THOUSANDS]
    if not separators or not looks_like_number(text):
        return
    last, kinds = separators[-1], set(separators)
    if len(kinds) > 1:
        seen.decimals.setdefault(last, text)
        seen.thousands.setdefault(separators[0], text)
    elif last not in ".," or len(separators) > 1:
        seen.thousands.setdefault(last, text)
    elif re.fullmatch(_GROUPED % re.escape(last), text):
        seen.is_open.setdefault(last, text)
    else:
        seen.decimals.setdefault(last, text)


def _decimal(seen: _Evidence, thousands: str | None, name: str) -> str:
    """The decimal separator: as shown, or the one that does not separate thousands."""
    separators = {**seen.thousands, **({thousands: ""} if thousands else {})}
    if len(seen.decimals) > 1:
        _refuse(name, *seen.decimals.values())
    if seen.decimals:
        return next(iter(seen.decimals))
    if "," in separators:
        return "."
    if "." in separators:
        return ","
    if "," in seen.is_open:
        raise _open_question(name, ",", seen.is_open[","])
    return "."


def _open_question(name: str, mark: str, text: str) -> SourceError:
    called = "comma" if mark == "," else "point"
    return SourceError(
        f"{name}: {text!r} is {text.replace(mark, '')} or {text.replace(mark, '.')}: say "
        f"csv_decimal={mark!r} if the {called} begins the decimals (--csv-decimal), "
        f"csv_thousands={mark!r} if it separates thousands (--csv-thousands)"
    )


def _thousands(seen: _Evidence, decimal: str, name: str) -> str | None:
    shown = {**seen.thousands}
    for separator, text in seen.is_open.items():
        if separator != decimal:
            shown.setdefault(separator, text)
    if len(shown) > 1 or decimal in shown:
        _refuse(name, *shown.values(), *seen.decimals.values())
    return next(iter(shown), None)


def _refuse(name: str, *texts: str) -> None:
    listed = " and ".join(map(repr, dict.fromkeys(texts)))
    raise SourceError(
        f"{name}: {listed} do not show one decimal separator and one for thousands: name them in "
        "csv_decimal and csv_thousands (--csv-decimal, --csv-thousands), and fix the numbers "
        "that are written otherwise"
    )


class Points:
    """Whether the numbers of a whole file show that a point begins the decimals.

    Where fields are divided by semicolons, commas often do, and points separate thousands: then
    1.234 alone does not tell.

    Examples
    --------
    >>> points = Points("a.csv")
    >>> points.add(pa.array(["7", "1.234"]))
    >>> points.check()
    Traceback (most recent call last):
    tidemill.errors.SourceError: a.csv: '1.234' is 1234 or 1.234: say csv_decimal='.' if the point \
begins the decimals (--csv-decimal), csv_thousands='.' if it separates thousands (--csv-thousands)
    >>> points.add(pa.array(["0.5"]))
    >>> points.check()
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = ""  # a text that leaves it open
        self._is_shown = False

    def add(self, texts: pa.Array) -> None:
        """Look at the numbers of a column."""
        if self._is_shown:
            return
        pointed = texts.filter(pc.match_substring(texts, "."))
        grouped = pc.match_substring_regex(pointed, rf"^\s*[-+]?{_GROUPED % r'[.]'}\s*$")
        self._is_shown = len(pointed) > 0 and not pc.all(grouped).as_py()
        if len(pointed) and not self._open:
            self._open = pointed[0].as_py().strip()

    def check(self) -> None:
        """Refuse numbers of which each could be read in two ways.

        Raises
        ------
        SourceError
            Naming one of them.
        """
        if self._open and not self._is_shown:
            raise _open_question(self._name, ".", self._open)


# Text to numbers


def parse_numbers(texts: pa.Array, numbers: Numbers, where: str, first_row: int) -> pa.Array:
    """Turn text into float64; words for a missing value become null.

    Parameters
    ----------
    texts : string[n]
    numbers : how they are written
    where : file and column, for messages
    first_row : the number of the first text's row

    Raises
    ------
    SourceError
        If a text is not a number.
    DataError
        If an integer lies beyond 2**53, where float64 has gaps.

    Examples
    --------
    >>> german = Numbers(",", ".")
    >>> parse_numbers(pa.array(["1.234,5", "-"]), german, "a.csv: column 'x'", 1).to_pylist()
    [1234.5, None]
    """
    if numbers.has_numeric_nulls:
        texts = _without_nulls(pc.utf8_trim_whitespace(texts), numbers)
    parsed = _quick(texts, numbers)
    if parsed is None:
        present = _without_nulls(texts, numbers)
        parsed = _quick(present, numbers)
        if parsed is None:
            parsed = _careful(present, numbers, where, first_row)
    _check_integers(texts, parsed, numbers, where, first_row)
    return parsed


def _quick(texts: pa.Array, numbers: Numbers) -> pa.Array | None:
    """Numbers as Arrow reads them, all at once; None if one of them is none."""
    if numbers.thousands is not None:
        return None
    if numbers.decimal != ".":
        if pc.any(pc.match_substring(texts, ".")).as_py():
            return None
        texts = pc.replace_substring(texts, numbers.decimal, ".")
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def _without_nulls(texts: pa.Array, numbers: Numbers) -> pa.Array:
    is_null = pc.is_in(texts, value_set=pa.array(numbers.nulls, pa.string()))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), texts)


def _careful(texts: pa.Array, numbers: Numbers, where: str, first_row: int) -> pa.Array:
    """Numbers with thousands, spaces around them, a plus sign, or truth values among them."""
    bare = _without_nulls(pc.utf8_trim_whitespace(texts), numbers)
    for word, number in _BOOLEANS.items():
        if pc.any(pc.match_substring(bare, word, ignore_case=True)).as_py():
            is_word = pc.equal(pc.utf8_lower(bare), word)
            bare = pc.if_else(is_word, pa.scalar(number), bare)
    is_number = pc.fill_null(pc.match_substring_regex(bare, numbers.pattern), True)  # noqa: FBT003
    if not pc.all(is_number).as_py():
        _refuse_text(texts, pc.index(is_number, False).as_py(), numbers, where, first_row)
    if numbers.thousands is not None:
        bare = pc.replace_substring(bare, numbers.thousands, "")
    if numbers.decimal != ".":
        bare = pc.replace_substring(bare, numbers.decimal, ".")
    return bare.cast(pa.float64())


def _refuse_text(texts: pa.Array, place: int, numbers: Numbers, where: str, first_row: int) -> None:
    text = texts[place].as_py()
    remedy = (
        "fix it, name a word for a missing value in csv_null (--csv-null), or leave the column out "
        "by naming the columns to use in column_value"
    )
    if looks_like_number(text):
        thousands = f" and thousands {numbers.thousands!r}" if numbers.thousands else ""
        remedy = (
            f"numbers are read with the decimal separator {numbers.decimal!r}{thousands}: name "
            "the right ones in csv_decimal and csv_thousands (--csv-decimal, --csv-thousands), or "
            "fix the number"
        )
    raise SourceError(f"{where}, row {first_row + place}: {text[:80]!r} is not a number; {remedy}")


def _check_integers(
    texts: pa.Array, parsed: pa.Array, numbers: Numbers, where: str, first_row: int
) -> None:
    """Refuse integers that float64 cannot hold; fractions and 1e300 are meant to be rounded."""
    extremes = pc.min_max(parsed).as_py()
    if extremes["min"] is None or max(-extremes["min"], extremes["max"]) < LARGEST_INTEGER:
        return
    for place in pc.indices_nonzero(pc.greater_equal(pc.abs(parsed), LARGEST_INTEGER)).to_pylist():
        text = texts[place].as_py().strip()
        digits = text.lstrip("+-").replace(numbers.thousands or "", "")
        if digits.isdecimal() and int(digits) > LARGEST_INTEGER:
            raise DataError(
                f"{where}, row {first_row + place}: {text} is an integer beyond 2**53 = "
                f"{LARGEST_INTEGER}, up to which float64 is exact: subtract an offset, or write it "
                "as a float if rounded values will do"
            )


def exact_integers(texts: pa.Array) -> pa.Array | None:
    """Turn text into int64, if every one reads back exactly as it was written; else None.

    Examples
    --------
    >>> exact_integers(pa.array(["7", "-8"])).to_pylist()
    [7, -8]
    >>> [exact_integers(pa.array([text])) for text in ("007", "+7", " 7", "7.0", "9" * 19, "")]
    [None, None, None, None, None, None]
    """
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    # No text of an integer is shorter than its digits, so equal sums mean equal texts. Six times
    # faster than casting back and comparing.
    length = pc.sum(pc.binary_length(texts)).as_py() or 0
    return numbers if length == _n_characters(np.asarray(numbers)) else None


def _n_characters(numbers: npt.NDArray[np.int64]) -> int:
    """The length of all numbers, written as they should be."""
    if not len(numbers):
        return 0
    is_negative = numbers < 0
    magnitudes = np.where(is_negative, -numbers, numbers).view(np.uint64)
    digits = len(str(magnitudes.max()))
    longer = (np.count_nonzero(magnitudes >= np.uint64(10**k)) for k in range(1, digits))
    return len(numbers) + int(np.count_nonzero(is_negative)) + int(sum(longer))
