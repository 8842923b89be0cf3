"""Draw ``docs/images/rooms.svg``: the rooms of the package and which room imports which.

::

    python docs/make_architecture.py [FILE]

The order of the rooms is that of the import contract in ``pyproject.toml``; the numbers come from
the import statements of all modules. The same tree gives the same bytes.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DRAWING = ROOT / "docs" / "images" / "rooms.svg"
PACKAGE = "tidemill"

Modules = dict[str, Path]
Imports = dict[str, set[str]]

STEP_X, STEP_Y = 64, 46
BOX_X, BOX_Y = 132, 34
LEFT, TOP = 16, 84
#: Where arrows enter a box from above: right of the box before it.
ENTRY = 108

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif" font-size="13" fill="#222222">
  <title>The rooms of tidemill, and which room imports which</title>
  <defs>
    <marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" \
orient="auto">
      <path d="M0 0 L10 5 L0 10 z" fill="#5a6570"/>
    </marker>
    <style>
      .box {{ fill: #e3eaf1; stroke: #8a949e; stroke-width: 1.2; }}
      .ground {{ fill: #f3f5f7; }}
      .name {{ font-weight: bold; }}
      .small {{ font-size: 11px; fill: #5a6570; }}
      .out {{ stroke: #c3cad1; stroke-width: 1.2; }}
      .in {{ stroke: #5a6570; stroke-width: 1.2; marker-end: url(#tip); }}
      .dot {{ fill: #0072b2; stroke: #ffffff; stroke-width: 1.5; }}
      .count {{ fill: #ffffff; font-size: 10px; font-weight: bold; text-anchor: middle; }}
    </style>
  </defs>
  <rect width="{width}" height="{height}" fill="#ffffff"/>
  <text x="16" y="30" font-size="17" font-weight="bold">Which room imports which</text>
  <text class="small" x="16" y="50">Follow a room's line to the right: each dot is an import of \
the room below the dot.</text>
  <text class="small" x="16" y="66">The number says how many pairs of modules that is.</text>
"""


def project() -> dict:
    """Return ``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def find_modules() -> Modules:
    """Every module of the package: its name and its file."""
    setuptools = project()["tool"]["setuptools"]
    mapped = setuptools["package-dir"]
    return {
        f"{package}.{path.stem}".removesuffix(".__init__"): path
        for package in setuptools["packages"]
        for path in sorted((ROOT / folder_of(package, mapped)).glob("*.py"))
    }


def folder_of(package: str, mapped: dict[str, str]) -> str:
    """Folder of a package, as ``package-dir`` maps it."""
    return mapped.get(package, f"{mapped['']}/{package.replace('.', '/')}")


def imported_names(tree: ast.AST, modules: Modules) -> Iterator[str]:
    """Names of the modules that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules else node.module


def find_imports() -> Imports:
    """For every module, the modules of the package that it imports."""
    modules = find_modules()
    imports = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports[name] = (set(imported_names(tree, modules)) & modules.keys()) - {name}
    return imports


def room_of(module: str) -> str:
    """Room of a module: ``storage`` for ``tidemill.storage.lease``."""
    return module.split(".")[1] if "." in module else ""


def rooms_in_order() -> list[str]:
    """The rooms that exist, from top to bottom, as the import contract lists them."""
    (layers,) = (
        contract["layers"]
        for contract in project()["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    there = {room_of(name) for name in find_modules()}
    listed = [name for layer in layers for name in re.findall(r"\w+", layer)]
    return [name for name in listed if name in there]


def count_imports() -> Counter[tuple[str, str]]:
    """How many pairs of modules (importing, imported) there are between two rooms."""
    return Counter(
        (room_of(importing), room_of(imported))
        for importing, found in find_imports().items()
        for imported in found
        if room_of(importing) != room_of(imported) and room_of(importing) and room_of(imported)
    )


def corner(place: int) -> tuple[int, int]:
    """Upper left corner of a box."""
    return LEFT + place * STEP_X, TOP + place * STEP_Y


def box(place: int, room: str, size: int) -> str:
    """Draw a room: its name and how many modules it has."""
    x, y = corner(place)
    kind = "box" if size > 1 else "box ground"
    noun = "modules" if size > 1 else "module"
    return (
        f'  <rect class="{kind}" x="{x}" y="{y}" width="{BOX_X}" height="{BOX_Y}" rx="5"/>\n'
        f'  <text class="name" x="{x + 8}" y="{y + 15}">{room}</text>\n'
        f'  <text class="small" x="{x + 8}" y="{y + 28}">{size} {noun}</text>\n'
    )


def lines(rooms: list[str], counts: Counter[tuple[str, str]]) -> str:
    """From each room to the right, and down into each room, as far as there are imports."""
    drawn = []
    for place, room in enumerate(rooms):
        x, y = corner(place)
        below = [other for other in range(place, len(rooms)) if counts[room, rooms[other]]]
        above = [other for other in range(place) if counts[rooms[other], room]]
        if below:
            end, middle = corner(below[-1])[0] + ENTRY, y + BOX_Y // 2
            drawn.append(f'  <path class="out" d="M{x + BOX_X} {middle} H{end}"/>\n')
        if above:
            start = corner(above[0])[1] + BOX_Y // 2
            drawn.append(f'  <path class="in" d="M{x + ENTRY} {start} V{y - 1}"/>\n')
    return "".join(drawn)


def dot(importing: int, imported: int, count: int) -> str:
    """Draw the crossing of two lines at which one room imports another."""
    x, y = corner(imported)[0] + ENTRY, corner(importing)[1] + BOX_Y // 2
    return (
        f'  <circle class="dot" cx="{x}" cy="{y}" r="{9 if count < 10 else 11}"/>\n'
        f'  <text class="count" x="{x}" y="{y + 4}">{count}</text>\n'
    )


def draw() -> str:
    """Return the drawing as SVG."""
    rooms, counts = rooms_in_order(), count_imports()
    sizes = Counter(room_of(name) for name in find_modules())
    right, bottom = corner(len(rooms) - 1)
    head = HEAD.format(width=right + BOX_X + LEFT, height=bottom + BOX_Y + LEFT)
    boxes = "".join(box(place, room, sizes[room]) for place, room in enumerate(rooms))
    dots = "".join(
        dot(a, b, counts[rooms[a], rooms[b]])
        for a in range(len(rooms))
        for b in range(a + 1, len(rooms))
        if counts[rooms[a], rooms[b]]
    )
    return f"{head}{lines(rooms, counts)}{boxes}{dots}</svg>\n"


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else DRAWING
    file.write_text(draw(), encoding="utf-8")
    print(file)
