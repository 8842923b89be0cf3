"""The examples of tsfresh's documentation; only the line of the import differs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidemill import extract_features

from ..support.series import ROLES
from ..support.tsfresh_answers import assert_same, available, available_columns, quietly

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tsfresh.feature_extraction import settings as tsfresh_settings
    from tsfresh.utilities.dataframe_functions import impute, roll_time_series


FORCES = ("F_x", "F_y", "F_z", "T_x", "T_y", "T_z")


def robots(n_ids: int = 4, length: int = 15) -> pd.DataFrame:
    """Forces and torques of failing robots, as tsfresh's examples load them."""
    rng = np.random.default_rng(88)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(1, n_ids + 1), length), "time": np.tile(range(length), n_ids)}
    )
    return frame.assign(**{name: rng.normal(5, 20, len(frame)).round(2) for name in FORCES})


EXAMPLES = {
    "quick start": """
X = extract_features(timeseries, column_id="id", column_sort="time")
""",
    "settings objects": """
settings = MinimalFCParameters()
X = extract_features(timeseries, default_fc_parameters=settings, column_id="id", column_sort="time")
""",
    "comprehensive settings": """
settings = available(ComprehensiveFCParameters())
X = extract_features(timeseries, default_fc_parameters=settings, column_id="id", column_sort="time")
""",
    "own settings": """
fc_parameters = {
    "length": None,
    "large_standard_deviation": [{"r": 0.05}, {"r": 0.1}]
}
X = extract_features(timeseries, fc_parameters, column_id="id", column_sort="time")
""",
    "settings by kind": """
fc_parameters = {"length": None, "maximum": None}
kind_to_fc_parameters = {"F_x": fc_parameters, "T_z": {"minimum": None}}
X = extract_features(timeseries, kind_to_fc_parameters=kind_to_fc_parameters,
                     column_id="id", column_sort="time")
""",
    "settings by kind and default": """
X = extract_features(timeseries, MinimalFCParameters(), {"F_x": {"quantile": [{"q": 0.3}]}},
                     column_id="id", column_sort="time")
""",
    "settings from columns": """
chosen = ['F_x__maximum', 'F_x__quantile__q_0.2', 'T_y__fft_coefficient__attr_"abs"__coeff_2']
kind_to_fc_parameters = from_columns(chosen)
X = extract_features(timeseries, kind_to_fc_parameters=kind_to_fc_parameters,
                     column_id="id", column_sort="time")
""",
    "flat format": """
X = extract_features(timeseries[["id", "time", "F_x"]], MinimalFCParameters(),
                     column_id="id", column_sort="time", column_kind=None, column_value=None)
""",
    "one column of values": """
X = extract_features(timeseries, MinimalFCParameters(), column_id="id", column_value="F_y")
""",
    "stacked format": """
stacked = timeseries.melt(["id", "time"], var_name="kind", value_name="value")
X = extract_features(stacked, MinimalFCParameters(), column_id="id", column_sort="time",
                     column_kind="kind", column_value="value")
""",
    "dictionary of flat frames": """
frames = {name: timeseries[["id", "time", name]].rename(columns={name: "value"})
          for name in ("T_z", "F_x")}
X = extract_features(frames, MinimalFCParameters(), column_id="id", column_sort="time",
                     column_kind=None, column_value="value")
""",
    "imputed": """
settings = {"autocorrelation": [{"lag": 3}, {"lag": 30}], "mean": None}
X = extract_features(timeseries, settings, column_id="id", column_sort="time",
                     impute_function=impute)
""",
    "one after the other": """
X = extract_features(timeseries, MinimalFCParameters(), column_id="id", column_sort="time",
                     n_jobs=0, disable_progressbar=True, show_warnings=False)
""",
}


def run_example(code: str, module: str) -> pd.DataFrame:
    known = {"timeseries": robots(), "available": available, "impute": quietly(impute)}
    names: dict[str, Any] = {**vars(tsfresh_settings), **known}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        if module == "tsfresh":
            warnings.simplefilter("ignore")
        exec(f"from {module} import extract_features\n{code}", names)  # noqa: S102
    return names["X"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_tsfresh_need_only_another_import(name):
    found = run_example(EXAMPLES[name], "tidemill")
    assert_same(found, available_columns(run_example(EXAMPLES[name], "tsfresh")))


def test_ids_of_rolled_frames_become_levels_of_the_index():
    """tsfresh makes tuples of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rolled = roll_time_series(
            robots(2, 4), "id", "time", n_jobs=0, disable_progressbar=True, max_timeshift=2
        )
    rows = extract_features(rolled, "minimal", **ROLES)
    assert rows.index.nlevels == 2
    assert len(rows) == 8
