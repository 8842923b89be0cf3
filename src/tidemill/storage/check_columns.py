"""Refuse names of columns that a sink cannot hold, before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidemill.errors import ArgumentError
from tidemill.storage.delta import INTERVAL, open_table
from tidemill.storage.layout import SinkLayout

__all__ = ["check_columns", "check_id_names"]


def check_id_names(ids: Sequence[str], *, intervals: bool) -> None:
    """Refuse an id column that is called like the column of intervals, in any case.

    Raises
    ------
    ArgumentError
        With the remedy.

    Examples
    --------
    >>> check_id_names(["Interval"], intervals=True)
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: column_id='Interval' is also the name of the table's column of
    intervals (a Delta table does not tell upper from lower case); rename the column
    """
    for name in ids:
        if intervals and name.lower() == INTERVAL:
            raise ArgumentError(
                f"column_id={name!r} is also the name of the table's column of intervals (a Delta "
                "table does not tell upper from lower case); rename the column"
            )


def check_columns(
    layout: SinkLayout, ids: Sequence[str], columns: Iterable[str], *, intervals: bool = False
) -> None:
    """Refuse columns with the same name, in a Delta table also those that differ only in case.

    A name with a NUL is refused, too: programs in C take it for the end.

    Parameters
    ----------
    layout
        The sink; a file may hold names that differ only in case.
    ids, columns
        The id columns and the feature columns of the matrix.
    intervals
        Whether rows are added to a table, whose other columns stay.

    Raises
    ------
    ArgumentError
        Naming two columns and the remedy.

    Examples
    --------
    >>> check_columns(SinkLayout.of("matrix.csv"), ["id"], ["p__mean", "P__mean"])
    >>> check_columns(SinkLayout.of("matrix"), ["id"], ["p__mean", "P__mean"])
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: the columns 'p__mean' and 'P__mean' differ only in upper and
    lower case, which a Delta table does not tell apart: rename one of the kinds, or give a sink
    that ends in .parquet or .csv
    """
    is_table = layout.kind == "delta"
    check_id_names(ids, intervals=intervals)
    seen: dict[str, tuple[str, bool]] = {}
    if intervals and (table := open_table(layout)) is not None:
        seen = {one.name.lower(): (one.name, False) for one in table.schema().fields}
    known = {name for name, _ in seen.values()}
    for name, is_id in (*((one, True) for one in ids), *((one, False) for one in columns)):
        _check_no_nul(name, is_id=is_id)
        if name in known:  # a column of the table stays what it is
            known.discard(name)
            seen[name.lower()] = name, is_id
            continue
        key = name.lower() if is_table else name
        if key in seen:
            raise ArgumentError(_sentence(seen[key], (name, is_id)))
        seen[key] = name, is_id


def _check_no_nul(name: str, *, is_id: bool) -> None:
    if "\0" in name:
        rename = "the id column" if is_id else "the kind"
        raise ArgumentError(
            f"the column {name!r} has a NUL in its name, where many programs end it; rename "
            f"{rename}"
        )


def _sentence(first: tuple[str, bool], second: tuple[str, bool]) -> str:
    """What is wrong with two columns, and what to do."""
    (one, one_is_id), (other, other_is_id) = first, second
    if one == other and one_is_id:
        return f"column_id={one!r} is also the name of a column of features; rename the id column"
    if one == other:
        return f"two columns of the matrix have the name {one!r}; rename one of the kinds"
    rename = "the id column" if one_is_id or other_is_id else "one of the kinds"
    rename = "one of the id columns" if one_is_id and other_is_id else rename
    return (
        f"the columns {one!r} and {other!r} differ only in upper and lower case, which a Delta "
        f"table does not tell apart: rename {rename}, or give a sink that ends in .parquet or .csv"
    )
