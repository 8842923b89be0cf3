"""What tells a custom calculator from a changed one of the same name."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
import subprocess
import sys
import textwrap
from importlib import metadata

import numba
import numpy as np
import pytest

from tidemill.calculators import Calculator, calculator, custom, find, register
from tidemill.calculators.registry import identities
from tidemill.errors import SettingsError

pytestmark = pytest.mark.usefixtures("own_calculators")

HEAD = "import functools, numpy as np\nfrom tidemill.calculators import calculator\n"


@pytest.fixture
def load(tmp_path):
    """Import a module of this text; the identity of its calculator ``mine``."""
    numbers = iter(range(1_000))

    def loaded(text, folder="code"):
        path = tmp_path / folder / f"own_{next(numbers)}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD + textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location("own", path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return own("mine")

    return loaded


def own(name):
    return identities([name])[name]


def without_source(text):
    """The identity of ``mine`` in code that was never in a file."""
    exec(HEAD + textwrap.dedent(text), {"__name__": "nowhere"})  # noqa: S102
    return own("mine")


PLAIN = """
    @calculator
    def mine(values, factor=2.0):
        return values.mean() * 1.0
"""
CHANGES = {
    "a constant": PLAIN.replace("* 1.0", "* 2.0"),
    "a method": PLAIN.replace("mean", "sum"),
    "a default": PLAIN.replace("factor=2.0", "factor=3.0"),
    "the type of a default": PLAIN.replace("factor=2.0", "factor=2"),
    "times": PLAIN.replace("calculator\n", "calculator(needs=('times',))\n"),
    "the shortest length": PLAIN.replace("calculator\n", "calculator(minimum_length=2)\n"),
    "a version": PLAIN.replace("calculator\n", "calculator(version='1')\n"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("source", [True, False], ids=["source", "bytecode"])
def test_a_change_is_seen(change, source, load):
    read = load if source else without_source
    assert read(PLAIN) != read(CHANGES[change])


@pytest.mark.parametrize("source", [True, False], ids=["source", "bytecode"])
def test_equal_code_in_another_place_is_equal(source, load):
    read = load if source else without_source
    assert read(PLAIN) == read("\n\n# elsewhere\nLIMIT = 5\n" + textwrap.dedent(PLAIN))
    if source:
        assert load(PLAIN) == load(PLAIN, folder="elsewhere")


NESTED = """
    @calculator
    def mine(values):
        if values.dtype in {"f4", "f8", "i4", "i8", "u1"}:
            return sum(x * 2 for x in values)
        return (lambda v: v[0] + 1)(values)
"""


def test_code_within_the_code_is_seen_in_bytecode_too():
    first = without_source(NESTED)
    assert first != without_source(NESTED.replace("x * 2", "x * 3"))
    assert first != without_source(NESTED.replace("+ 1", "+ 2"))
    assert first != without_source(NESTED.replace("u1", "u2"))


BOUND = {
    "the defaults' names": ("limit = {}", "def mine(values, top=limit):\n    return top", 1, 2),
    "keyword-only defaults": (
        "limit = {}",
        "def mine(values, *, top=limit):\n    return top",
        1,
        2,
    ),
    "an array": (
        "limit = np.array([{}])",
        "def mine(values, top=limit):\n    return top",
        1.0,
        2.0,
    ),
    "a NumPy number": (
        "limit = np.{}(1)",
        "def mine(v, top=limit):\n    return top",
        "int8",
        "int16",
    ),
    "a set": ("limit = {'a', 'b', {}}", "def mine(v, top=limit):\n    return 0", "'c'", "'d'"),
    "a partial": (
        "def f(values, k):\n    return k",
        "mine = functools.partial(f, k={})\nmine.__name__ = 'mine'",
        1,
        2,
    ),
    "an enclosing function": (
        "def make(k):\n    def mine(values):\n        return k\n    return mine",
        "mine = make({})",
        1,
        2,
    ),
    "a lambda of two lines": (
        "",
        "mine = (lambda values: values[0]\n    + {})\nmine.__name__ = 'mine'",
        1,
        2,
    ),
    "a decorated function": (
        "def twice(f):\n    def mine(values):\n        return 2 * f(values)\n    return mine",
        "@twice\ndef mine(values):\n    return {}",
        1,
        2,
    ),
    "the decorator of a wrapped function": (
        "def const(f):\n    @functools.wraps(f)\n    def g(_):\n        return {}\n    return g",
        "@const\ndef mine(values):\n    return 1",
        1,
        2,
    ),
    "a class's method": (
        "class Own:\n    @classmethod\n    def mine(cls, values):\n        return {}",
        "mine = Own.mine",
        1,
        2,
    ),
}


@pytest.mark.parametrize("case", BOUND)
def test_what_is_bound_to_the_function_counts(case, load):
    before, after, *values = BOUND[case]
    one, two, again = (
        load(f"{before}\n{after}\ncalculator(name='mine')(mine)\n".replace("{}", str(value)))
        for value in (*values, values[0])
    )
    assert one == again != two


def test_a_version_stands_for_the_code():
    def version(of, text):
        calculator(name="mine", version=text)(of)
        return own("mine")

    assert version(lambda v: v[0], "1") == version(lambda v: v[1], "1")
    assert version(lambda v: v[0], "1") != version(lambda v: v[0], "2")
    assert version(lambda _, k=1: k, "1") != version(lambda _, k=2: k, "1")


@pytest.mark.parametrize("function", [math.fsum, functools.partial(math.fsum)])
def test_code_that_cannot_be_read_needs_a_version(function):
    calculator(name="mine")(function)
    with pytest.raises(SettingsError, match=r"'mine' .* cannot be read.*calculator\(version='1'\)"):
        own("mine")
    calculator(name="mine", version="1")(function)
    assert own("mine")


def test_a_value_that_cannot_be_read_needs_a_version():
    def declare(version=None):
        @calculator(version=version)
        def mine(values, unset=object()):  # noqa: B008
            return 0

    declare()
    with pytest.raises(SettingsError, match=r"'mine' .* values bound to it"):
        own("mine")
    declare("1")
    assert own("mine")


def test_values_that_hold_themselves_cannot_be_read():
    endless = []
    endless.append(endless)
    calculator(name="mine")(lambda _: endless)
    with pytest.raises(SettingsError, match="cannot be read"):
        own("mine")


def test_a_function_may_call_itself():
    def mine(values):
        return values[0] if len(values) == 1 else mine(values[1:])

    calculator(mine)
    assert own("mine")


def test_compiled_functions_of_python_are_read():
    def declare(factor):
        def mine(values):
            return factor

        calculator(numba.njit(mine))
        return own("mine")

    assert declare(1) == declare(1) != declare(2)


def test_calculators_that_are_registered_as_specs_are_read():
    register(Calculator("mine", "The first.", function=lambda values: values[0]))
    first = own("mine")
    register(Calculator("mine", "The second.", function=lambda values: values[1]))
    assert own("mine") != first


def test_calculators_of_the_table_have_none():
    calculator(name="mine")(np.median)
    assert list(identities(["mean", "mine", "mine", "quantile"])) == ["mine"]


def test_the_distribution_and_its_version_count(monkeypatch):
    calculator(name="mine")(np.median)
    assert custom._distribution("numpy.lib") == f"numpy {np.__version__}"
    assert custom._distribution("nowhere") == ""
    first = own("mine")
    monkeypatch.setattr(custom, "_distribution", lambda _: "numpy 0.0.1")
    assert own("mine") != first


def test_others_in_the_same_namespace_do_not_count(monkeypatch):
    files = {"one": "shared/one.py", "two": "shared/two/__init__.py"}
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"shared": [*files, "one"]})
    monkeypatch.setattr(metadata, "version", lambda _: "1")
    monkeypatch.setattr(metadata, "files", lambda name: [metadata.PackagePath(files[name])])
    custom._distribution.cache_clear()
    assert custom._distribution("shared.two") == "two 1"
    custom._distribution.cache_clear()


def test_the_file_is_read_when_the_function_is_registered(tmp_path):
    """A file that is edited later does not speak for the code that is loaded."""
    path = tmp_path / "edited.py"
    path.write_text(HEAD + textwrap.dedent(PLAIN))
    spec = importlib.util.spec_from_file_location("edited", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    before = find("mine").code
    path.write_text(HEAD + textwrap.dedent(CHANGES["a constant"]))
    assert find("mine").code == before
    assert own("mine")


@pytest.mark.parametrize("source", [True, False], ids=["source", "bytecode"])
def test_every_process_says_the_same(source, tmp_path):
    """Other folders, another order of sets, and a file that is compiled already."""
    text = HEAD + textwrap.dedent(NESTED).replace("(values)", "(values, few={'p', 'q', 'r'})", 1)
    told = set()
    for seed in ("1", "2", "2"):
        folder = tmp_path / seed
        folder.mkdir(exist_ok=True)
        (folder / "brought.py").write_text(text)
        load = "import brought" if source else f"exec({text!r}, {{'__name__': 'brought'}})"
        program = f"{load}\nfrom tidemill.calculators.registry import identities\n"
        environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": seed}
        told.add(
            subprocess.check_output(
                [sys.executable, "-W", "error", "-c", f"{program}print(identities(['mine']))"],
                env=environment,
                cwd=folder,
                text=True,
            )
        )
    assert len(told) == 1
    assert len(told.pop()) > 64
