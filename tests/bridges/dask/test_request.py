from __future__ import annotations

import pandas as pd

from tidemill.bridges.dask.request import DaskRequest
from tidemill.model.policies import Policies


def test_a_request_becomes_a_calculation():
    request = DaskRequest(
        settings="minimal", by_kind=None, column_id="id", column_sort=None, column_kind=None,
        column_value=None, policies=Policies(on_nan="omit"), show_warnings=True, client=None,
        lazy=True, kinds=None, aligned=False,
    )  # fmt: skip
    calculation = request.calculation(pd.DataFrame({"id": [1], "x": [1.0]}), None)
    assert calculation.kinds == ("x",)
    assert calculation.policies.on_nan == "omit"
    assert calculation.show_warnings
