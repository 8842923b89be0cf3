"""Imports of the package: no circle, and the drawing of the rooms is the one of this tree."""

import ast
import graphlib
import importlib.util
import re
import xml.etree.ElementTree as ET  # our own file
from collections import Counter

import pytest


@pytest.fixture(scope="module")
def drawer(root):
    spec = importlib.util.spec_from_file_location(
        "make_architecture", root / "docs" / "make_architecture.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def imports(drawer):
    return drawer.find_imports()


def test_every_module_is_found(drawer, package_folders):
    in_tree = {path for folder in package_folders.values() for path in folder.glob("*.py")}
    assert set(drawer.find_modules().values()) == in_tree


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import tidemill.errors", {"tidemill.errors"}),
        ("from tidemill import errors", {"tidemill.errors"}),
        ("from tidemill.errors import DataError", {"tidemill.errors"}),
        ("def f():\n    from tidemill.model import plan", {"tidemill.model.plan"}),
        ("if TYPE_CHECKING:\n    import tidemill.model.plan", {"tidemill.model.plan"}),
    ],
)
def test_imports_are_found_wherever_they_stand(drawer, text, found):
    assert set(drawer.imported_names(ast.parse(text), drawer.find_modules())) == found


def test_no_module_imports_itself_by_way_of_others(imports):
    """Imports inside functions included: they hide a circle, and do not remove it."""
    graphlib.TopologicalSorter(imports).prepare()


def test_a_circle_is_noticed():
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_arrows_lead_down(drawer):
    place = {room: number for number, room in enumerate(drawer.rooms_in_order())}
    up = [pair for pair in drawer.count_imports() if place[pair[0]] > place[pair[1]]]
    assert up == []


def test_the_drawing_is_that_of_the_imports(drawer):
    """If it is not: ``make drawing``."""
    assert drawer.DRAWING.read_text(encoding="utf-8") == drawer.draw()


def test_the_drawing_has_every_room_and_every_pair_of_rooms(drawer):
    words = list(ET.fromstring(drawer.draw()).itertext())  # noqa: S314 - our own file
    assert [word for word in words if word in drawer.rooms_in_order()] == drawer.rooms_in_order()
    shown = Counter(int(word) for word in words if re.fullmatch(r"\d+", word))
    assert shown == Counter(drawer.count_imports().values())
