"""The house: what lies at the top, what a room says of itself, and where its tests are."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tidemill"
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
#: Folder of code, and the folder in which its tests lie.
MIRRORED = {PACKAGE: ROOT / "tests"} | {
    ROOT / name: ROOT / "tests" / name for name in ("flows", "tasks")
}
PYTHON = sorted(path for folder in MIRRORED for path in folder.rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINE = 110


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_drawer_is_empty():
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert {"__init__.py", "errors.py", "py.typed"} <= files
    assert files <= {"__init__.py", "__main__.py", "errors.py", "py.typed"}


def test_every_folder_is_a_room():
    folders = {path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_it_is_for(room):
    said = ast.get_docstring(tree_of(room / "__init__.py"))
    assert said is not None
    assert 3 <= len(said.splitlines()) <= 10


def is_type_alias(node: ast.stmt) -> bool:
    """``Name = Literal[...]``, ``Name = list[str]``, ``Name = int | str``."""
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    name, value = node.targets[0].id, node.value
    return (
        not name.isupper()
        and name.lstrip("_")[:1].isupper()
        and isinstance(value, ast.Subscript | ast.BinOp | ast.Name | ast.Attribute)
    )


def expected_test(path: Path) -> Path:
    """``tests/storage/test_lease.py`` for ``src/tidemill/storage/lease.py``."""
    (top,) = (folder for folder in MIRRORED if path.is_relative_to(folder))
    return MIRRORED[top] / path.relative_to(top).with_name(f"test_{path.name}")


def does_something(path: Path) -> bool:
    """Whether there is more than a docstring, imports, type aliases and ``__all__``."""
    return any(
        not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom)
        and not is_type_alias(node)
        and not ast.unparse(node).startswith("__all__")
        for node in tree_of(path).body
    )


MODULES = [path for path in PYTHON if path.name != "__init__.py" and does_something(path)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_tests_of_its_name(path):
    tests = expected_test(path)
    assert tests.exists(), f"{name_of(tests)} is missing"
    assert any(
        node.name.startswith(("test_", "Test"))
        for node in tree_of(tests).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


def names_defined(path: Path) -> list[str]:
    """Classes, wherever they stand in the module, and type aliases at its top."""
    module = tree_of(path)
    classes = [node.name for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    aliases = [
        (node.target if isinstance(node, ast.AnnAssign) else node.targets[0]).id
        for node in module.body
        if is_type_alias(node)
    ]
    types = [node.name.id for node in module.body if type(node).__name__ == "TypeAlias"]
    return classes + aliases + types


def test_no_class_and_no_type_alias_has_the_name_of_another():
    defined = defaultdict(list)
    for path in PYTHON:
        for name in names_defined(path):
            defined[name.lstrip("_")].append(name_of(path))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}


def long_lines(page: Path) -> list[str]:
    """Lines that are too long. A row of a table cannot be broken, so tables do not count."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if len(line) > LINE and not line.startswith("|")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_of_pages_are_short(page):
    assert long_lines(page) == []


def test_the_folders_of_tests_are_rooms():
    """So that ``make test ROOM=...`` finds the tests of a room under its name."""
    rooms = {room.name for room in ROOMS} | {"flows", "tasks", "deployments"}
    others = {"benchmarks", "compatibility", "packaging", "support"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("**/test_*.py"))}
    assert folders - others <= rooms


def test_every_room_can_be_tested_alone():
    names = [room.name for room in ROOMS] + ["flows", "tasks"]
    assert [name for name in names if not any((ROOT / "tests" / name).rglob("test_*.py"))] == []
