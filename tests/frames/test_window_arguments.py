"""Series for windows, and what `min_size` and `sink` may be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill import extract_rolling
from tidemill.errors import DataError, SourceError

from ..support.series import ROLES, wide
from ..support.windows import SMALL, timed


@pytest.mark.parametrize(
    "column", [list("abcde") * 2, pd.Categorical(list("abcde") * 2), [True, False] * 5]
)
def test_sort_columns_that_tell_no_distance(column):
    with pytest.raises(SourceError, match="windows need a sort column of times or numbers"):
        extract_rolling(
            wide(2, 5).assign(time=column), SMALL, window=3, on_duplicate="first", **ROLES
        )


def test_integers_that_no_key_can_hold():
    frame = wide(1, 3).assign(time=np.array([0, 1, 2**63], np.uint64))
    with pytest.raises(DataError, match="holds the integer 9223372036854775808"):
        extract_rolling(frame, SMALL, window=1, **ROLES)


def test_frames_of_a_dict_count_alike():
    plain = wide(2, 5, "x")
    frames = {"x": plain, "y": timed(plain)}
    with pytest.raises(SourceError, match="holds integers and times, but must hold the same"):
        extract_rolling(frames, SMALL, window=2, **ROLES)
