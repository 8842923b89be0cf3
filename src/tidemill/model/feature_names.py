"""Names of feature columns, in tsfresh's grammar: ``kind__calculator__param_value``.

Parameters are sorted by name; strings are in double quotes, other values as Python prints them.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tidemill.errors import ArgumentError, SettingsError, shorten

__all__ = ["MAX_COLUMNS", "check_kinds", "check_width", "feature_name", "parse"]

#: More columns than this are refused: such a wide matrix comes from a mistake in the column roles
#: (ids taken for kinds), and a Delta table needs 200 bytes of its log for each column.
MAX_COLUMNS = 250_000

_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def feature_name(kind: str | None, calculator: str, params: Mapping[str, Any]) -> str:
    """The column of one feature; without the kind if ``kind`` is None.

    Raises
    ------
    ArgumentError
        If the kind contains ``__``.

    Examples
    --------
    >>> feature_name("x", "fft_coefficient", {"coeff": 3, "attr": "real"})
    'x__fft_coefficient__attr_"real"__coeff_3'
    >>> feature_name(None, "mean", {})
    'mean'
    """
    parts = [calculator, *(f"{name}_{_text(params[name])}" for name in sorted(params))]
    if kind is not None:
        if not _is_clear(str(kind)):
            check_kinds([kind])
        parts.insert(0, str(kind))
    return "__".join(parts)


def _is_clear(kind: str) -> bool:
    """Whether the name of a kind leaves no doubt about where it ends."""
    return bool(kind) and "__" not in kind and not kind.endswith("_")


def _text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def parse(column: str) -> tuple[str, str, dict[str, Any]]:
    """Kind, calculator and parameters of a feature column.

    Raises
    ------
    SettingsError
        If the text does not follow the grammar.

    Examples
    --------
    >>> parse('x__fft_coefficient__attr_"real"__coeff_3')
    ('x', 'fft_coefficient', {'attr': 'real', 'coeff': 3})
    >>> parse("x__quantile__q_0.1")
    ('x', 'quantile', {'q': 0.1})
    """
    kind, _, feature = column.partition("__")  # kinds contain no "__", but may contain a quote
    parts = [kind, *_split(feature)]
    if len(parts) < 2 or not all(parts):
        raise SettingsError(
            f"column {column!r} is not a feature; the form is 'kind__calculator__param_value'"
        )
    try:
        return parts[0], parts[1], dict(_parameter(part) for part in parts[2:])
    except (ValueError, SyntaxError):
        raise SettingsError(
            f"column {column!r} has a parameter that cannot be read; "
            "write numbers as Python does and strings in double quotes"
        ) from None


def _split(feature: str) -> list[str]:
    """Split at ``__`` outside double quotes."""
    parts = [""]
    for index, quoted in enumerate(feature.split('"')):
        if index % 2:
            parts[-1] += f'"{quoted}"'
        else:
            first, *others = quoted.split("__")
            parts[-1] += first
            parts.extend(others)
    return parts


def _parameter(part: str) -> tuple[str, Any]:
    cut = part.index('_"') if part.endswith('"') else part.rindex("_")
    name, text = part[:cut], part[cut + 1 :]
    if text.lower() in _NUMBERS:
        return name, _NUMBERS[text.lower()]
    return name, text[1:-1] if text.startswith('"') else ast.literal_eval(text)


def check_kinds(kinds: Iterable[object]) -> tuple[str, ...]:
    """The names of kinds, if they cannot be confused in column names.

    Raises
    ------
    ArgumentError
        If a name is empty, contains ``__`` or ends with ``_``, or if two kinds have the same name.

    Examples
    --------
    >>> check_kinds([1, "b_c"])
    ('1', 'b_c')
    """
    names = tuple(map(str, kinds))
    bad = [name for name in names if not _is_clear(name)]
    if bad:
        raise ArgumentError(
            f"kind {shorten(map(repr, bad))} contains '__', ends with '_' or is empty, but '__' "
            "separates the parts of a feature column; rename it"
        )
    twice = [repr(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ArgumentError(f"several kinds read as {shorten(twice)}; rename all but one")
    return names


def check_width(n_columns: int) -> None:
    """Refuse a matrix of more than :data:`MAX_COLUMNS` columns.

    Raises
    ------
    ArgumentError
        If there are more columns.

    Examples
    --------
    >>> check_width(783)
    """
    if n_columns > MAX_COLUMNS:
        raise ArgumentError(
            f"the result would have {n_columns:,} columns; at most {MAX_COLUMNS:,} are allowed: "
            "choose fewer value columns or smaller settings (is the id or kind column right?)"
        )
