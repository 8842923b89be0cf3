"""Relevance tables made of p-values, and several made one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import combine_relevance_tables

from ..support.tsfresh_selection import original


def test_tables_are_combined_as_by_tsfresh():
    rng = np.random.default_rng(6)
    tables = [
        pd.DataFrame(
            {"feature": list("abcd"), "p_value": rng.random(4), "relevant": rng.random(4) < 0.5},
            index=pd.Index(list("abcd"), name="feature"),
        ).sort_values("p_value")
        for _ in range(3)
    ]
    copies = [table.copy() for table in tables]
    ours = combine_relevance_tables(tables)
    pd.testing.assert_frame_equal(tables[0], copies[0])
    pd.testing.assert_frame_equal(ours, original("combine_relevance_tables")(copies))
    with pytest.raises(SelectionError, match="relevance_tables is empty"):
        combine_relevance_tables([])
