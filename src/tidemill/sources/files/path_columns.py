"""Columns that stand in the paths of files: folders such as ``site=a``, and patterns of names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

import pyarrow as pa

from tidemill.errors import ArgumentError, SourceError

__all__ = ["Constants", "PathPattern", "folder_columns", "type_of_text"]

#: Columns of one value each: name, and value as text; None: missing.
Constants = tuple[tuple[str, str | None], ...]

#: The folder of rows whose value is missing, in Hive, Spark and Arrow.
_MISSING = "__HIVE_DEFAULT_PARTITION__"
_FOLDER = re.compile(r"([^=/]+)=([^/]*)")
_NAME = re.compile(r"\{([^{}]*)\}")
_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")


def folder_columns(path: str) -> Constants:
    """The columns in the names of a file's folders.

    Examples
    --------
    >>> folder_columns("/lake/site=a%20b/day=7/part.parquet")
    (('site', 'a b'), ('day', '7'))
    """
    found = (_FOLDER.fullmatch(step) for step in path.split("/")[:-1])
    pairs = {unquote(one[1]): unquote(one[2]) for one in found if one is not None}
    return tuple((name, None if value == _MISSING else value) for name, value in pairs.items())


def type_of_text(values: Iterable[str | None]) -> pa.DataType:
    """int64 if every value is an integer that reads back as it is written, else text.

    Examples
    --------
    >>> type_of_text(["7", "12"]), type_of_text(["07", "12"])
    (DataType(int64), DataType(string))
    """
    known = [value for value in values if value is not None]
    return pa.int64() if known and all(map(_is_integer, known)) else pa.string()


def _is_integer(text: str) -> bool:
    return _WHOLE_NUMBER.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63


class PathPattern:
    """A pattern such as ``{site}/{id}.csv``, which the ends of paths must match.

    Raises
    ------
    ArgumentError
        If the pattern has no names, a name twice, or two names without anything between them.

    Examples
    --------
    >>> PathPattern("{site}/{id}.csv").read("/data/north/007.csv")
    (('site', 'north'), ('id', '007'))
    """

    def __init__(self, pattern: str) -> None:
        names = _NAME.findall(pattern)
        literals = _NAME.split(pattern)[::2]
        problem = None
        if not names or any(not name.strip() for name in names):
            problem = "name at least one column in braces"
        elif len(set(names)) < len(names):
            problem = "name each column once"
        elif any(not between for between in literals[1:-1]):
            problem = "put something between two names, which says where the first one ends"
        elif any(brace in text for text in literals for brace in "{}"):
            problem = "close each brace"
        if problem:
            raise ArgumentError(
                f"id_from_path={pattern!r} is not allowed: {problem}, as in '{{site}}/{{id}}.csv'"
            )
        self.pattern = pattern
        self.names = tuple(names)
        steps = [re.escape(literals[0])]
        for text in literals[1:]:
            steps += ["([^/]+)", re.escape(text)]
        self._expression = re.compile("".join(steps))
        self._depth = pattern.strip("/").count("/") + 1

    def read(self, path: str) -> Constants:
        """The columns of one file.

        Raises
        ------
        SourceError
            If the path does not match, or matches in two ways.
        """
        end = "/".join(path.split("/")[-self._depth :])
        match = self._expression.fullmatch(end)
        if match is None:
            raise SourceError(
                f"{path} does not match id_from_path={self.pattern!r}, which has to give every "
                "file its columns: change the pattern, or give the files that match"
            )
        lazy = re.fullmatch(self._expression.pattern.replace("[^/]+", "[^/]+?"), end)
        if lazy is None or lazy.groups() != match.groups():
            raise SourceError(
                f"{path} matches id_from_path={self.pattern!r} in several ways: put text between "
                "the names that they do not hold themselves"
            )
        return tuple(zip(self.names, match.groups(), strict=True))
