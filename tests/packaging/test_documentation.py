"""Every example in a docstring and on a page of the documentation runs.

On a page, the blocks are run in order, as one story, in an empty folder:

- ``python`` blocks as one program; those that hold ``>>>`` as doctests with their output;
- ``console`` blocks: each line that starts with ``$ `` is a command that must succeed, to the end
  of the lines that a backslash joins to it;
- a ``yaml`` block whose first line is a comment with a file's name is written to that file;
- any other block (``bash``, ``text``...) is shown and not run; tests/test_docs.py asks for reasons.
"""

import contextlib
import doctest
import importlib
import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FAR = re.compile(
    r"tidemill\.flows|tidemill\.tasks|cluster=|prefect|tidemill (extract|demo)", re.IGNORECASE
)
FILE = re.compile(r"# ([\w-]+\.(?:yaml|json))\n")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)


def module_names() -> list[str]:
    """Every module of the packages in pyproject.toml, by the name under which users import it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages, mapped = (project["tool"]["setuptools"][key] for key in ("packages", "package-dir"))
    names = (
        f"{package}.{path.stem}".removesuffix(".__init__")
        for package in packages
        for path in (ROOT / mapped.get(package, f"src/{package.replace('.', '/')}")).glob("*.py")
    )
    return sorted(name for name in names if not name.endswith(".__main__"))


@pytest.mark.parametrize("name", module_names())
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        failed, _ = doctest.testmod(module, optionflags=OPTIONS)
    assert failed == 0, said.getvalue()


class Block(NamedTuple):
    language: str
    text: str
    line: int  # of the page, from 1: errors then point there


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)
        for found in FENCE.finditer(text)
    ]


def run_python(block: Block, page: Path, names: dict) -> None:
    if ">>>" in block.text:
        test = doctest.DocTestParser().get_doctest(
            block.text, names, page.name, str(page), block.line - 1
        )
        said = io.StringIO()
        failed, _ = doctest.DocTestRunner(optionflags=OPTIONS).run(
            test, out=said.write, clear_globs=False
        )
        names.update(test.globs)
        assert failed == 0, said.getvalue()
    else:
        exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)  # noqa: S102 - our pages


def run_console(block: Block, page: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in COMMAND.findall(block.text):
        done = subprocess.run(  # noqa: S602 - in a shell, as the reader of our page would
            command,
            shell=True,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}{done.stderr}"


@pytest.mark.docs
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    story = [block for block in blocks(page) if block.language in {"python", "console", "yaml"}]
    if any(FAR.search(block.text) for block in story):
        # For commands, which do not see the settings of this process.
        monkeypatch.setenv("PREFECT_API_URL", request.getfixturevalue("prefect_server"))
    names = {"__name__": "__main__"}
    for block in story:
        if block.language == "python":
            run_python(block, page, names)
        elif block.language == "yaml":
            if named := FILE.match(block.text):
                Path(named[1]).write_text(block.text, encoding="utf-8")
        else:
            run_console(block, page)
