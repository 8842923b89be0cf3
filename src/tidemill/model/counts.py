"""Numbers of things in words."""

from __future__ import annotations

__all__ = ["counted"]

VOWELS = {*"aeiou"}


def counted(number: int, one: str, several: str = "") -> str:
    """How many there are of something.

    Parameters
    ----------
    number : of the things
    one : what one of them is called
    several : what more of them, or none, are called; by default ``one`` in the plural

    Examples
    --------
    >>> counted(1, "row"), counted(1_200, "row"), counted(0, "entry"), counted(2, "series")
    ('1 row', '1,200 rows', '0 entries', '2 series')
    >>> counted(398, "day")
    '398 days'
    >>> counted(1, "file was", "files were"), counted(2, "file was", "files were")
    ('1 file was', '2 files were')
    """
    return f"{number:,} {one if number == 1 else several or _plural(one)}"


def _plural(word: str) -> str:
    if word.endswith("s"):  # series
        return word
    if word.endswith("y") and word[-2:-1] not in VOWELS:
        return f"{word[:-1]}ies"
    return f"{word}s"
