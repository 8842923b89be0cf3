"""Everything that compiled code reaches: functions, intrinsics and constants, with their files."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import tidemill
from tidemill.calculators.jit.kernel import Kernel

ROOT = str(Path(tidemill.__file__).parent)
CALCULATORS = Path(ROOT) / "calculators"

Found = tuple[str, str]  # file, name


def all_kernels() -> dict[str, Kernel]:
    """Every kernel of the room, also those that no row of the table names."""
    modules = [
        import_module(
            f"tidemill.{path.relative_to(ROOT).with_suffix('').as_posix()}".replace("/", ".")
        )
        for path in sorted(CALCULATORS.rglob("*.py"))
        if path.stem != "__init__"
    ]
    named = [item for module in modules for item in vars(module).items()]
    return {one.name: one for _, one in named if isinstance(one, Kernel)}


def reached_from(functions: Iterable[Any]) -> set[Found]:
    """Where the functions, and all that they name in turn, are defined."""
    found: set[Found] = set()
    seen: set[int] = set()
    waiting = list(functions)
    while waiting:
        one = _plain(waiting.pop())
        if id(one) in seen or not isinstance(one, types.FunctionType):
            continue
        seen.add(id(one))
        file = one.__code__.co_filename
        if file.startswith(ROOT):
            found.add((file, one.__name__))
            named = list(_named(one))
            waiting += [value for _, value in named]
            found |= {(_origin(file, name), name) for name, value in named if _is_constant(value)}
    return found


def _plain(one: Any) -> Any:
    """The Python function of a kernel, a helper or an intrinsic."""
    if isinstance(one, Kernel):
        return one.function
    return getattr(one, "py_func", None) or getattr(one, "_defn", one)


def _named(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function and those inside it find among their globals, and in what encloses it."""
    for code in _codes(function.__code__):
        for name in code.co_names:
            if name in function.__globals__:
                yield name, function.__globals__[name]
    yield from inspect.getclosurevars(function).nonlocals.items()


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _is_constant(value: Any) -> bool:
    return not (callable(value) or isinstance(value, types.ModuleType))


def _origin(file: str, name: str) -> str:
    """The file in which a module's constant is defined."""
    for node in ast.walk(ast.parse(Path(file).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tidemill"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _origin(str(import_module(node.module).__file__), alias.name)
    return file
