"""The kinds of a long Dask DataFrame, from what is given, its categories, or one pass over it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import dask.dataframe as dd
import pandas as pd
from distributed import Client

from tidemill.bridges.dask.fetch import fetch
from tidemill.model.logs import engine_log

__all__ = ["kinds_of", "serial_order"]

log = engine_log(__name__)

#: The one category that Dask gives a categorical whose categories it does not know.
UNKNOWN = "__UNKNOWN_CATEGORIES__"


def kinds_of(
    frame: dd.DataFrame, column_kind: Hashable, kinds: Iterable[Any] | None, client: Client | None
) -> list[Any]:
    """All kinds in the order in which ``extract_features`` has them for a pandas frame.

    Parameters
    ----------
    frame : in the long format
    column_kind : label of its column of kinds
    kinds : as they were given
    client : of the cluster that makes the pass, if one is needed. Categories that the frame knows
        need none: each is a kind, whether it has rows or not.
    """
    dtype = frame.dtypes[column_kind]
    categories = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else None
    if categories is not None and UNKNOWN in categories:
        categories = None
    if kinds is not None:
        return serial_order(list(kinds), categories)
    if categories is not None:
        return list(categories)
    log.info("column_kind=%r is read once for its kinds; kinds=[...] saves that", column_kind)
    distinct = frame[column_kind].drop_duplicates()
    found = fetch(distinct, client)
    own = found.cat.categories if isinstance(found.dtype, pd.CategoricalDtype) else None
    return serial_order(found.dropna().unique().tolist(), own)


def serial_order(kinds: list[Any], categories: pd.Index[Any] | None = None) -> list[Any]:
    """Kinds in the order of their categories, else sorted; as given if they cannot be sorted.

    Examples
    --------
    >>> serial_order([10, 9, 1]), serial_order(["b", "a"], pd.Index(["b", "a"]))
    ([1, 9, 10], ['b', 'a'])
    """
    if categories is not None and set(kinds) <= set(categories):
        return [one for one in categories if one in set(kinds)]
    try:
        return sorted(kinds)
    except TypeError:
        return kinds
