"""Frames that may kill their process; on workers in test_futures.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.bridges.dask import isolate
from tidemill.bridges.dask.calculate import FrameCalculation
from tidemill.bridges.dask.isolate import calculate_isolated_frame
from tidemill.errors import CalculationError, DataError
from tidemill.model.policies import Policies

from ...support.probes import MODULE, probing

FRAME = pd.DataFrame({"id": [3, 3, 4, 4, 5, 5], "x": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]})


@pytest.fixture
def probe(tmp_path):
    with probing(tmp_path) as probe:
        __import__(MODULE)
        yield probe


def asked(probe, **policies):
    settings = {"mean": None, "probe": [{"folder": str(probe.folder)}]}
    return FrameCalculation.of(FRAME, settings, column_id="id", policies=Policies(**policies))


def test_without_poison_all_is_as_at_the_door():
    calculation = FrameCalculation.of(FRAME, "efficient", column_id="id")
    found = calculate_isolated_frame(FRAME, calculation)
    wanted = extract_features(FRAME, "efficient", column_id="id")
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


@pytest.mark.slow
def test_the_row_of_poison_is_nan(probe):
    probe.tell(4, "crash")
    found = calculate_isolated_frame(FRAME, asked(probe, on_error="nan"))
    assert found.isna().all(axis=1).tolist() == [False, True, False]


def test_memory_is_limited(probe, monkeypatch):
    monkeypatch.setattr(isolate, "_memory_limit", lambda: 700 * 2**20)
    probe.tell(5, "take 1000; sleep 3")
    with pytest.raises(CalculationError, match="series 5 kills its process, which took more than"):
        calculate_isolated_frame(FRAME, asked(probe))


def test_errors_come_through():
    calculation = FrameCalculation.of(FRAME, {"mean": None}, column_id="id")
    with pytest.raises(DataError, match="3"):
        calculate_isolated_frame(FRAME.assign(x=np.nan), calculation)
