"""Ids that are tuples, as rolled frames have them: one column becomes one for each element."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tidemill.errors import SourceError

__all__ = ["split_tuple_ids"]


def split_tuple_ids(container: Any, column_id: Any) -> tuple[Any, Any]:
    """Split a column of tuples into columns; all else is returned as it is.

    Raises
    ------
    SourceError
        If tuples differ in length.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [("a", 1), ("a", 2)], "x": [3.0, 4.0]})
    >>> split_tuple_ids(frame, "id")[1]
    ['id[0]', 'id[1]']
    """
    if not isinstance(container, pd.DataFrame) or isinstance(column_id, list):
        return container, column_id
    if column_id not in container.columns or not container.columns.is_unique:
        return container, column_id
    ids = container[column_id]
    if ids.dtype != object or not ids.map(lambda one: isinstance(one, tuple)).all():
        return container, column_id
    lengths = ids.map(len).unique().tolist()
    if len(lengths) != 1:
        raise SourceError(
            f"timeseries_container: column {column_id!r} holds tuples of {sorted(lengths)} "
            "elements: give all ids equally many"
        )
    labels = [f"{column_id}[{place}]" for place in range(lengths[0])]
    parts = pd.DataFrame(ids.tolist(), index=container.index, columns=labels)
    rest = container.drop(columns=column_id)
    return pd.concat([rest, parts], axis="columns"), labels
