"""What the tests of several estimators share."""

from __future__ import annotations

import importlib

import pytest

from ..support.probes import MODULE


@pytest.fixture
def counted(probe):
    """The probe, known to this process: its calls are counted."""
    importlib.import_module(MODULE)
    return probe
