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
from tidemill.calculators import warmup
from tidemill.calculators.jit import cache, loops
from tidemill.calculators.jit.cache import LOCK
from tidemill.calculators.jit.kernel import load_kernel

from ..reach import all_kernels, reached_from

SCRIPT = """
import json, numpy as np, numba
from tidemill.model.series import SeriesBlock
from tidemill.calculators import Program
from tidemill.calculators.jit.cache import cache_folder
from tidemill.calculators.jit.kernel import load_kernel
program = Program([("variance_larger_than_standard_deviation", {}), ("sum_values", {})])
program.warmup()
ends = np.array([3])
out = np.empty((1, 2))
program.calculate(SeriesBlock("x", np.array([1.0, 2.0, 4.0]), ends * 0, ends), out)
loops = [loop for path in ("kernels.distribution:moments",
         "kernels.distribution:variance_larger_than_standard_deviation")
         for loop in load_kernel(path)._compiled.values()]
print(json.dumps({
    "sum": out[0, 1],
    "hits": sum(sum(loop.stats.cache_hits.values()) for loop in loops),
    "misses": sum(sum(loop.stats.cache_misses.values()) for loop in loops),
    "folder": str(cache_folder()),
    "numba": numba.config.CACHE_DIR,
}))
"""


def _environment(folder, path):
    changes = {"TIDEMILL_CACHE_DIR": str(folder)} | ({"PYTHONPATH": str(path)} if path else {})
    return {**os.environ, **changes}


def _run(folder, *, path=None):
    environment = _environment(folder, path)
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


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_file_is_compiled_again_and_replaced(damage, stored, tmp_path):
    first, intact = stored
    shutil.copytree(intact, tmp_path / "cache")
    folder = tmp_path / "cache" / Path(first["folder"]).name
    for path in [*folder.rglob("*.nbi"), *folder.rglob("*.nbc")]:
        _damage(path, damage)
    done = _run_said(tmp_path / "cache")
    found = json.loads(done.stdout)
    assert (found["sum"], found["misses"]) == (7, 2)
    assert done.stderr.count(" is damaged (") == 1
    assert f"a compiled kernel in {folder} is damaged" in done.stderr
    assert not [path for path in folder.rglob("*") if ".tmp." in path.name]
    again = _run_said(tmp_path / "cache")
    assert json.loads(again.stdout)["hits"] == 2
    assert "damaged" not in again.stderr


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What a first process said, and the folder that it filled."""
    folder = tmp_path_factory.mktemp("stored")
    return _run(folder), folder


def _run_said(folder):
    """Run the script; what it logs comes with its output."""
    command = [sys.executable, "-c", "import logging; logging.basicConfig()\n" + SCRIPT]
    environment = _environment(folder, None)
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


def _damage(path, damage):
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "cut":
        path.write_bytes(data[:middle])
    else:
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


def _mounted(folder, options):
    """A small file system; needs root."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("cannot mount a file system here")


@pytest.mark.parametrize("what", ["room", "inodes"])
def test_a_full_disk_under_the_cache_ends_no_run(what, tmp_path):
    _mounted(tmp_path / "small", "size=64k,mode=755" if what == "room" else "nr_inodes=6,mode=755")
    try:
        done = _run_said(tmp_path / "small")
        left = [path for path in (tmp_path / "small").rglob("*") if ".tmp." in path.name]
    finally:
        subprocess.run(["umount", str(tmp_path / "small")], check=True)
    found = json.loads(done.stdout)
    assert (found["sum"], found["misses"]) == (7, 2)
    assert done.stderr.count("cannot be stored in") == 1
    assert "No space left on device" in done.stderr
    assert not left


FOLDER = "from tidemill.calculators.jit.cache import cache_folder; print(cache_folder().name)"


def _folder_of(package, store):
    """The name of the folder that a copy of the package uses."""
    environment = _environment(store, package)
    command = [sys.executable, "-c", FOLDER]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def _edit(path, old, new):
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def test_a_changed_helper_in_another_module_gives_the_new_value(tmp_path):
    copy = _package(tmp_path / "package")
    store = tmp_path / "cache"
    before = _run(store, path=copy)
    sums = copy / "tidemill" / "calculators" / "numerics" / "sums.py"
    _edit(sums, "0.0 + _sum(", "100.0 + _sum(")
    after = _run(store, path=copy)
    assert (before["sum"], after["sum"]) == (7, 107)
    assert after["misses"] == 2
    assert before["folder"] != after["folder"]


def test_an_edit_outside_of_compiled_code_keeps_what_is_compiled(tmp_path):
    copy = _package(tmp_path / "package")
    room, store = copy / "tidemill" / "calculators", tmp_path / "cache"
    compiled = {room / path.relative_to(cache._ROOM) for path in cache.compiled_sources()}
    before = _run(store, path=copy)
    for path in {*(copy / "tidemill").rglob("*.py")} - compiled:
        text = path.read_text("utf-8")
        path.write_text(text.replace('"""', '"""Edited. ', 1), "utf-8")
    after = _run(store, path=copy)
    assert (after["hits"], after["misses"]) == (2, 0)
    assert after["folder"] == before["folder"]


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("kernels/distribution.py", "= range(3)", "= range(0, 3)"),
        ("numerics/lanes.py", "from __future__", "# a comment\nfrom __future__"),
        ("jit/loops.py", "lengths[i] < minimum", "lengths[i] <= minimum"),
        ("jit/decorators.py", '"nogil": True', '"nogil": False'),
    ],
)
def test_an_edit_of_what_is_compiled_gives_another_folder(module, old, new, tmp_path):
    copy = _package(tmp_path / "package")
    before = _folder_of(copy, tmp_path)
    path = copy / "tidemill" / "calculators" / module
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert _folder_of(copy, tmp_path) != before


def test_a_new_kernel_module_gives_another_folder(tmp_path):
    copy = _package(tmp_path / "package")
    before = _folder_of(copy, tmp_path)
    (copy / "tidemill" / "calculators" / "kernels" / "fresh.py").write_text("", "utf-8")
    assert _folder_of(copy, tmp_path) != before


def test_all_that_gets_compiled_lies_in_the_sources_of_the_key():
    """Functions, intrinsics and constants, as far as kernels and their loops reach."""
    kernels = all_kernels()
    assert len(kernels) > 50
    reached = reached_from([*loops._LOOPS, *kernels.values()])
    keyed = {str(path) for path in cache.compiled_sources()}
    assert {file for file, _ in reached} <= keyed
    # It has looked into helpers of helpers, copies with other helpers inside, and intrinsics.
    names = {(Path(file).name, name) for file, name in reached}
    assert names >= {
        ("sums.py", "pairwise_sum"),
        ("lanes.py", "_view"),
        ("distribution.py", "MEAN"),
        ("unsolved.py", "UNSOLVED"),
    }


def _package(folder):
    """A copy of the package's sources."""
    shutil.copytree(
        Path(tidemill.__file__).parent,
        folder / "tidemill",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return folder


def _content(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_nothing_is_written_into_the_package(tmp_path):
    """Site-packages may be read-only. (Root may write anywhere, so a look has to do.)"""
    copy = _package(tmp_path / "package")
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = _content(copy)
    found = _run(tmp_path / "cache", path=copy)
    assert (found["misses"], found["sum"]) == (2, 7)
    assert _content(copy) == before
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755)


CONCURRENT = """
import sys, time
from tidemill.calculators import Program, preset
from tidemill.calculators.jit.kernel import compiled_here
from tidemill.calculators.program import to_compile
program = Program(preset("efficient")[:30])
missing = to_compile([program])
print("ready", flush=True)
sys.stdin.readline()
program.warmup()
print(missing, compiled_here(), to_compile([program]))
"""


def test_processes_that_start_together_compile_each_kernel_once(tmp_path):
    environment = _environment(tmp_path, None)
    command = [sys.executable, "-c", CONCURRENT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for one in both:
        assert one.stdout.readline() == "ready\n"
    said = []
    for one in both:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in both:
        said.append([int(word) for word in one.communicate(timeout=120)[0].split()])
        assert one.returncode == 0
    kernels = said[0][0]
    assert kernels > 2
    assert [missing for missing, _, _ in said] == [kernels, kernels]
    assert sum(compiled for _, compiled, _ in said) == kernels
    assert [left for _, _, left in said] == [0, 0]


def test_what_root_prepared_is_copied_to_where_the_user_can_write(monkeypatch, tmp_path):
    """An image is filled by root and run by somebody else."""
    image, home = tmp_path / "image", tmp_path / "home"
    first = _run(image)
    prepared = Path(first["folder"])
    _make_read_only(monkeypatch, image)
    monkeypatch.setattr(cache, "_key", lambda: prepared.name)
    (home / ".cache" / "tidemill" / prepared.name).mkdir(parents=True)
    found = _folder(monkeypatch, TIDEMILL_CACHE_DIR=image, HOME=home)
    assert found == home / ".cache" / "tidemill" / prepared.name
    assert _files(found) == _files(prepared)
    second = _run(home / ".cache" / "tidemill")
    assert (second["hits"], second["misses"]) == (2, 0)


def _make_read_only(monkeypatch, image):
    """Let a folder refuse to be written, which it does not do for root."""
    problem = cache._problem
    monkeypatch.setattr(
        cache,
        "_problem",
        lambda folder: "read-only" if image in folder.parents else problem(folder),
    )


def _files(folder):
    """Relative path and content of everything but the lock."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LOCK
    }


def test_what_others_may_write_is_not_copied(monkeypatch, tmp_path):
    image, home = tmp_path / "image", tmp_path / "home"
    prepared = image / cache._key()
    prepared.mkdir(parents=True)
    (prepared / "kernel.ready").touch()
    _make_read_only(monkeypatch, image)
    target = home / ".cache" / "tidemill" / prepared.name
    target.mkdir(parents=True)
    for open_one in (prepared, image):
        open_one.chmod(0o777)
        found = _folder(monkeypatch, TIDEMILL_CACHE_DIR=image, HOME=home)
        assert found == target
        assert not list(found.iterdir())
        open_one.chmod(0o755)
    assert [
        path.name
        for path in _folder(monkeypatch, TIDEMILL_CACHE_DIR=image, HOME=home).glob("*.ready")
    ]


def test_an_image_for_other_machines_has_a_folder_of_its_own(monkeypatch):
    from numba.core import config

    before = cache._key()
    monkeypatch.setattr(config, "CPU_NAME", "generic")
    monkeypatch.setattr(config, "CPU_FEATURES", "")
    generic = cache._key()
    assert generic != before
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another")
    assert cache._key() == generic


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
    monkeypatch.setattr(cache, "_is_mine", lambda folder: tmp_path / "other" not in folder.parents)
    found = _folder(monkeypatch, TIDEMILL_CACHE_DIR=tmp_path / "other", HOME=tmp_path)
    assert found.parent == tmp_path / ".cache" / "tidemill"


@pytest.mark.parametrize("how", ["open", "owned", "linked"])
def test_a_folder_whose_parent_others_can_swap_is_passed_over(how, monkeypatch, tmp_path, caplog):
    """The leaf may belong to the user: who owns a parent puts another folder in its place."""
    parent = tmp_path / "parent"
    (parent / "cache").mkdir(parents=True)
    named = parent / "cache"
    if how == "open":
        parent.chmod(0o777)
    elif os.getuid() != 0:
        pytest.skip("needs root, to make a folder of another user")
    elif how == "owned":
        os.chown(parent, 4711, 4711)
    else:
        os.chown(parent, 4711, 4711)
        named = tmp_path / "link"
        named.symlink_to(parent / "cache")
    found = _folder(monkeypatch, TIDEMILL_CACHE_DIR=named, HOME=tmp_path / "home")
    assert found.parent == tmp_path / "home" / ".cache" / "tidemill"
    assert not list((parent / "cache").iterdir())
    assert [record.message for record in caplog.records] == [
        f"a folder for compiled kernels is not used, because {parent} "
        + ("can be written by other users" if how == "open" else "belongs to another user")
    ]


def test_without_a_folder_kernels_are_compiled_in_memory(tmp_path):
    """Each folder that could hold them is open to others: nothing is kept, and nothing fails."""
    parent = tmp_path / "parent"
    parent.mkdir()
    parent.chmod(0o777)
    places = ("TIDEMILL_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "TMPDIR")
    for name in places:
        (parent / name).mkdir()
    environment = {**os.environ, **{name: str(parent / name) for name in places}}
    command = [sys.executable, "-c", "import logging; logging.basicConfig()\n" + SCRIPT]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert (found["sum"], found["misses"], found["folder"]) == (7, 2, "None")
    assert done.stderr.count("compiled kernels are not kept") == 1
    assert not [path for name in places for path in (parent / name).rglob("*.nb?")]


def test_kernels_never_compile_at_a_call():
    warmup([("cid_ce", {"normalize": True})])
    (loop,) = load_kernel("kernels.changes:cid_ce")._compiled.values()
    assert len(loop.signatures) == 1
    with pytest.raises(TypeError):
        loop(1, 2, 3)
