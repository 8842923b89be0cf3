"""A stored kernel counts only if its files are what was written."""

from __future__ import annotations

import os
import time

import pytest

from tidemill.calculators.jit.ready_files import discard, is_ready, mark_ready, sweep

NAME = "loops.some.kernel-float64._loop_1-9.py311"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "sub"
    place.mkdir()
    (place / f"{NAME}.nbi").write_bytes(b"index")
    (place / f"{NAME}.1.nbc").write_bytes(b"code")
    mark_ready(tmp_path, "some.kernel-float64", place)
    return tmp_path


def test_what_was_marked_is_ready(folder):
    assert is_ready(folder, "some.kernel-float64")
    assert not is_ready(folder, "some.kernel")
    assert not is_ready(folder, "other")


@pytest.mark.parametrize("name", [f"{NAME}.nbi", f"{NAME}.1.nbc"])
@pytest.mark.parametrize("damage", ["emptied", "flipped", "gone", "left open"])
def test_a_file_that_changed_counts_as_missing(damage, name, folder):
    path = folder / "sub" / name
    if damage == "gone":
        path.unlink()
    elif damage == "left open":
        path.chmod(0o666)  # somebody else may have written what is loaded as code
    else:
        path.write_bytes(b"" if damage == "emptied" else path.read_bytes().swapcase())
    assert not is_ready(folder, "some.kernel-float64")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"7", b'{"gone": "00"}', b"\xff"])
def test_a_damaged_mark_counts_as_missing(text, folder):
    (folder / "some.kernel-float64.ready").write_bytes(text)
    assert not is_ready(folder, "some.kernel-float64")


def test_nothing_is_marked_that_numba_did_not_store(tmp_path):
    mark_ready(tmp_path, "some.kernel-float64", tmp_path)
    assert not list(tmp_path.iterdir())


def test_discard_removes_a_kernel_and_no_other(folder):
    other = folder / "sub" / NAME.replace("float64", "float64-int64")
    other.write_bytes(b"")
    discard(folder, "some.kernel-float64")
    assert [path for path in folder.rglob("*") if path.is_file()] == [other]


def test_unfinished_files_go_once_they_are_old(folder):
    old, young = folder / "sub" / "a.nbc.tmp.12", folder / "sub" / "b.nbc.tmp.12"
    for path in (old, young):
        path.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    sweep(folder)
    assert (old.exists(), young.exists()) == (False, True)
    assert is_ready(folder, "some.kernel-float64")
