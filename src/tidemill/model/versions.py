"""Versions of everything that a result can depend on."""

from __future__ import annotations

import importlib.metadata
import platform

__all__ = ["PACKAGES", "versions"]

#: Packages whose versions must be the same on all workers.
PACKAGES = ("tidemill", "numpy", "numba", "scipy", "pyarrow", "prefect")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result can depend on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}
