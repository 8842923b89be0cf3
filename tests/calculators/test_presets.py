"""Presets are tsfresh's, in its serial order, as far as calculators exist."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from tidemill.calculators import CALCULATORS, PRESETS, Program, find, preset
from tidemill.calculators.table.build import LEFT_OUT
from tidemill.errors import SettingsError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tsfresh.feature_extraction import settings as theirs

THEIRS = {
    "minimal": theirs.MinimalFCParameters,
    "efficient": theirs.EfficientFCParameters,
    "comprehensive": theirs.ComprehensiveFCParameters,
}


def _listed(settings):
    return [
        (name, find(name).check(params))
        for name, grid in settings.items()
        for params in (grid or [{}])
        if name in CALCULATORS
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_equal_tsfresh(name):
    with_times = _listed(THEIRS[name]())
    assert list(preset(name, times=True)) == with_times
    without = [pair for pair in with_times if pair[0] != "linear_trend_timewise"]
    assert list(preset(name)) == without


def test_every_calculator_of_tsfresh_is_there_or_planned():
    assert set(theirs.ComprehensiveFCParameters()) <= set(CALCULATORS) | set(LEFT_OUT)
    assert not set(CALCULATORS) & set(LEFT_OUT)


def test_presets_hand_out_copies():
    before = preset("comprehensive")
    preset("comprehensive")[-1][1]["more"] = 99
    assert preset("comprehensive") == before


def test_unknown_presets_and_names_are_refused():
    with pytest.raises(SettingsError, match="no preset is called 'tiny'; choose one of minimal"):
        preset("tiny")
    with pytest.raises(SettingsError, match="did you mean 'quantile'"):
        find("quantil")
    with pytest.raises(SettingsError, match="'matrix_profile' is left out"):
        Program([("matrix_profile", {})])


def test_importing_calculators_leaves_numba_alone():
    code = (
        "import sys, tidemill.calculators, tidemill.calculators.settings, "
        "tidemill.model.feature_names, tidemill.calculators.costs; "
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
