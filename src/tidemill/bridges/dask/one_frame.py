"""One long Dask DataFrame of one per kind, since an id's rows lie in other partitions of each."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from tidemill.bridges.dask.calculate import FrameCalculation, roles_of
from tidemill.bridges.dask.dataframes import with_role_columns
from tidemill.sources.frames.roles import RoleLabels

__all__ = ["KIND", "VALUE", "one_frame"]

#: Columns of the long frame; messages of workers show them.
KIND = "kind (key of the dict)"
VALUE = "value (of the dict's frames)"


def one_frame(frames: Mapping[Any, dd.DataFrame], calculation: FrameCalculation) -> dd.DataFrame:
    """The rows of all frames, with the kind as a categorical column.

    Parameters
    ----------
    frames : kind to frame, with the roles of the calculation
    calculation : made with the frames' samples
    """
    values = {kind: _value_label(one._meta, calculation) for kind, one in frames.items()}  # noqa: SLF001
    dtypes = [one.dtypes.get(values[kind]) for kind, one in frames.items()]
    type_ = dtypes[0] if len(set(dtypes)) == 1 else np.dtype("float64")
    kinds = pd.CategoricalDtype(list(calculation.kinds))
    parts = []
    for kind, one in frames.items():
        used = with_role_columns(one, calculation)
        arguments = (values[kind], type_, pd.Categorical([str(kind)], dtype=kinds))
        meta = _as_long(used._meta, *arguments)  # noqa: SLF001
        parts.append(
            used.map_partitions(
                _as_long, *arguments, meta=meta, enforce_metadata=False, clear_divisions=True
            )
        )
    return dd.concat(parts, interleave_partitions=False)


def _value_label(sample: pd.DataFrame, calculation: FrameCalculation) -> Hashable:
    labels = RoleLabels.of(
        calculation.column_id, calculation.column_sort, None, calculation.column_value
    )
    values: Sequence[Hashable] = roles_of(sample, labels)[1].values  # noqa: PD011 (no frame)
    return values[0]


def _as_long(frame: pd.DataFrame, value: Hashable, type_: Any, kind: Any) -> pd.DataFrame:
    renamed = frame.rename(columns={value: VALUE}).astype({VALUE: type_})
    return renamed.assign(**{KIND: kind.take(np.zeros(len(frame), np.int64))})
