"""The loop of the child process, called here."""

from __future__ import annotations

import pandas as pd

from tidemill import extract_features
from tidemill.bridges.dask.calculate import FrameCalculation
from tidemill.bridges.dask.isolated_child import calculate_by_id

FRAME = pd.DataFrame({"id": ["a", "a", "b", "c"], "x": [3.0, 1.0, 4.0, 1.0]})


def test_each_id_is_announced_and_skipped_ones_are_nan(tmp_path):
    calculation = FrameCalculation.of(FRAME, "minimal", column_id="id")
    found = calculate_by_id(FRAME, calculation, [1], tmp_path / "position")
    wanted = extract_features(FRAME, "minimal", column_id="id")
    pd.testing.assert_frame_equal(found.loc[["a", "c"]], wanted.loc[["a", "c"]])
    assert found.loc["b"].isna().all()
    assert (tmp_path / "position").read_text() == "2 c"
