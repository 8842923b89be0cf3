"""The public names, pinned: a change here is a change for users."""

from __future__ import annotations

import tidemill

NAMES = [
    "Settings",
    "TidemillError",
    "calculator",
    "extract_arrays",
    "extract_at",
    "extract_features",
    "extract_rolling",
    "feature_costs",
    "read_matrix",
]


def test_public_names():
    assert tidemill.__all__ == NAMES
    assert all(getattr(tidemill, name).__name__ == name for name in NAMES)
