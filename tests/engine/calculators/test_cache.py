"""Compiled kernels are stored once, found again, and never stale."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import tidemill
from tidemill.calculators import cache, warmup
from tidemill.calculators.kernels import load_kernel

SCRIPT = """
import json, numpy as np, numba
from tidemill.blocks import SeriesBlock
from tidemill.calculators import Program
from tidemill.calculators.cache import cache_folder
from tidemill.calculators.kernels import load_kernel
program = Program([("variance_larger_than_standard_deviation", {}), ("sum_values", {})])
program.warmup()
ends = np.array([3])
out = np.empty((1, 2))
program.calculate(SeriesBlock("x", np.array([1.0, 2.0, 4.0]), ends * 0, ends), out)
loops = [loop for path in ("distribution:moments",
         "distribution:variance_larger_than_standard_deviation")
         for loop in load_kernel(path)._compiled.values()]
print(json.dumps({
    "sum": out[0, 1],
    "hits": sum(sum(loop.stats.cache_hits.values()) for loop in loops),
    "misses": sum(sum(loop.stats.cache_misses.values()) for loop in loops),
    "folder": str(cache_folder()),
    "numba": numba.config.CACHE_DIR,
}))
"""


def _run(folder, *, path=None):
    environment = {**os.environ, "TIDEMILL_CACHE_DIR": str(folder), "PYTHONPATH": str(path or "")}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(result.stdout)


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    first, second = _run(tmp_path), _run(tmp_path)
    assert (first["hits"], first["misses"]) == (0, 2)
    assert (second["hits"], second["misses"]) == (2, 0)
    assert first["sum"] == second["sum"] == 7
    assert Path(first["folder"]).parent == tmp_path
    assert first["numba"] == numba.config.CACHE_DIR  # the setting has been put back


def test_a_changed_helper_in_another_module_gives_the_new_value(tmp_path):
    copy = tmp_path / "package"
    shutil.copytree(
        Path(tidemill.__file__).parent,
        copy / "tidemill",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    store = tmp_path / "cache"
    before = _run(store, path=copy)
    helper = copy / "tidemill" / "calculators" / "sums.py"
    text = helper.read_text("utf-8")
    assert text.count("0.0 + _sum(") == 1
    helper.write_text(text.replace("0.0 + _sum(", "100.0 + _sum("), "utf-8")
    after = _run(store, path=copy)
    assert (before["sum"], after["sum"]) == (7, 107)
    assert after["misses"] == 2
    assert before["folder"] != after["folder"]


def _folder(monkeypatch, **variables):
    for name in ("TIDEMILL_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return cache.cache_folder.__wrapped__()


def test_where_the_folder_lies(monkeypatch, tmp_path):
    own, shared, home = tmp_path / "own", tmp_path / "shared", tmp_path / "home"
    variables = {"HOME": home, "XDG_CACHE_HOME": shared, "TIDEMILL_CACHE_DIR": own}
    assert _folder(monkeypatch, **variables).parent == own
    del variables["TIDEMILL_CACHE_DIR"]
    assert _folder(monkeypatch, **variables).parent == shared / "tidemill"
    del variables["XDG_CACHE_HOME"]
    assert _folder(monkeypatch, **variables).parent == home / ".cache" / "tidemill"


def test_a_folder_that_cannot_be_written_is_passed_over(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder", "utf-8")
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    found = _folder(monkeypatch, HOME=blocked, XDG_CACHE_HOME=blocked)
    assert found.parent.parent == tmp_path / "temporary"


def test_a_folder_of_somebody_else_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_is_mine", lambda folder: folder.parent == tmp_path / "mine")
    found = _folder(monkeypatch, TIDEMILL_CACHE_DIR=tmp_path / "other", HOME=tmp_path)
    assert tmp_path / "other" not in found.parents


def test_kernels_never_compile_at_a_call():
    warmup([("cid_ce", {"normalize": True})])
    (loop,) = load_kernel("changes:cid_ce")._compiled.values()
    assert len(loop.signatures) == 1
    with pytest.raises(TypeError):
        loop(1, 2, 3)
