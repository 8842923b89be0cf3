"""The root folders flows, tasks and deployments are packages of tidemill: the traps of that map."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAPPED = ("flows", "tasks", "deployments")
#: Flows that users call; the one inside them is no program.
FLOWS = sorted(
    path.name
    for path in (ROOT / "flows").glob("*.py")
    if path.name not in {"__init__.py", "on_dask.py"}
)


def modules(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / folder).glob("*.py") if path.stem != "__init__")


def test_package_list_equals_the_tree(root, package_folders):
    roots = [root / "src" / "tidemill", *(root / name for name in MAPPED)]
    in_tree = {path.parent for top in roots for path in top.rglob("*.py")}
    assert in_tree == set(package_folders.values())


def test_every_package_has_an_init(package_folders):
    assert [
        name for name, path in package_folders.items() if not (path / "__init__.py").exists()
    ] == []


@pytest.mark.parametrize("folder", MAPPED)
def test_mapped_folders_are_flat(folder):
    """Folders of data may lie in them, modules may not."""
    assert list((ROOT / folder).glob("*/**/*.py")) == []


@pytest.mark.parametrize("folder", MAPPED)
def test_no_mapped_module_bears_the_name_of_another_module(folder):
    """`python flows/x.py` puts flows/ first on sys.path: its files would hide such modules."""
    taken = sys.stdlib_module_names | importlib.metadata.packages_distributions().keys()
    assert [name for name in modules(folder) if name in taken] == []


@pytest.mark.parametrize("name", FLOWS)
def test_flow_runs_as_a_script(name, tmp_path):
    shown = subprocess.run(
        [sys.executable, ROOT / "flows" / name, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "Usage" in shown.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["flows", "flows.extract", "tasks", "deployments"])
def test_linter_refuses_the_root_folders_as_modules(root, module):
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--select",
            "TID251",
            "--stdin-filename",
            "x.py",
            "-",
        ],
        cwd=root,
        input=f"import {module}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert "TID251" in checked.stdout


def test_import_stays_light():
    """`import tidemill` loads no orchestrator, no cluster and no compiler."""
    heavy = {"prefect", "prefect_dask", "dask", "distributed", "numba", "matplotlib"}
    code = f"import sys, tidemill; print(*sorted({heavy!r} & sys.modules.keys()))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []


def test_calculators_are_listed_without_numba():
    code = "import sys, tidemill.calculators; print('numba' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == ["False"]
