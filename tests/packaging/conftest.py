"""The project as data, and its wheel, built once per session."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def package_folders(project) -> dict[str, Path]:
    """Folder of every package: the tree as pyproject.toml maps it."""
    mapped = project["tool"]["setuptools"]["package-dir"]
    return {
        name: ROOT / mapped.get(name, f"{mapped['']}/{name.replace('.', '/')}")
        for name in project["tool"]["setuptools"]["packages"]
    }


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """Return the wheel in TIDEMILL_WHEEL_DIR, or build one from a copy of the tree.

    A copy, because setuptools packs whatever an earlier build left in its build folder.
    """
    if folder := os.environ.get("TIDEMILL_WHEEL_DIR"):
        (built,) = Path(folder).glob("*.whl")
        return built
    copy = tmp_path_factory.mktemp("wheel") / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("src", "flows", "tasks", "deployments"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = (copy / "dist").glob("*.whl")
    return path
