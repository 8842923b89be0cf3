"""The public names, pinned: a change here is a change for users."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tidemill

NAMES = [
    "Settings",
    "TidemillError",
    "calculator",
    "extract_arrays",
    "extract_at",
    "extract_features",
    "extract_relevant_features",
    "extract_rolling",
    "feature_costs",
    "read_matrix",
    "select_features",
    "to_delta",
]


def test_public_names():
    assert tidemill.__all__ == NAMES
    assert all(getattr(tidemill, name).__name__ == name for name in NAMES)


def test_names_stay_what_they_are_once_their_modules_are_imported():
    """Four modules of the room frames bear the name of the function in them."""
    for name in ("extract_arrays", "extract_at", "extract_features", "extract_rolling"):
        module = importlib.import_module(f"tidemill.frames.{name}")
        assert getattr(tidemill, name) is getattr(module, name)


def test_editors_and_python_find_the_names_in_the_same_modules():
    tree = ast.parse(Path(tidemill.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {name.name: one.module for one in block.body for name in one.names}
    assert typed == tidemill._HOMES
    assert sorted(typed) == NAMES


def test_other_names_do_not_exist():
    assert set(NAMES) <= set(dir(tidemill))
    with pytest.raises(AttributeError, match="module 'tidemill' has no attribute 'extract'"):
        tidemill.extract  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    program = """
import sys
import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tidemill
assert not {"prefect", "dask", "numba", "numpy", "pandas"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
