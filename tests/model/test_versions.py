"""Versions of all that a result can depend on, as installed."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from tidemill.model import versions as module
from tidemill.model.versions import PACKAGES, versions


def test_versions_are_those_that_run_here():
    found = versions()
    assert list(found) == ["python", *PACKAGES]
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (found["numpy"], found["pyarrow"]) == (np.__version__, pa.__version__)


def test_a_package_that_is_missing_is_an_error_and_not_left_out(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("tidemill", "no-such-package"))
    with pytest.raises(module.importlib.metadata.PackageNotFoundError, match="no-such-package"):
        versions()
