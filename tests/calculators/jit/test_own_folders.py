"""Temporary folders of processes that are gone are swept, those of live ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tidemill.calculators.jit import own_folders
from tidemill.calculators.jit.own_folders import PREFIXES, own_folder, sweep

OWNER = f"""
import runpy, sys, time
own_folder = runpy.run_path({own_folders.__file__!r})["own_folder"]
with own_folder(sys.argv[1], sys.argv[2]) as folder:
    print(folder, flush=True)
    time.sleep(600)
"""


def test_a_folder_goes_with_its_block(tmp_path):
    with own_folder("tidemill-dask-", str(tmp_path)) as folder:
        assert Path(folder).is_dir()
        sweep(str(tmp_path))
        assert Path(folder).is_dir(), "it has a live owner"
    assert list(tmp_path.iterdir()) == []


def test_folders_of_killed_processes_are_swept_at_the_next_start(tmp_path):
    left = []
    for prefix in PREFIXES:
        command = [sys.executable, "-I", "-S", "-c", OWNER, prefix, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            left.append(owner.stdout.readline().strip())
            sweep(str(tmp_path))
            assert Path(left[-1]).is_dir(), "its owner is alive, in another process"
            owner.kill()
    assert any(Path(one).is_dir() for one in left)
    with own_folder("tidemill-dask-", str(tmp_path)) as folder:
        assert [str(one) for one in tmp_path.iterdir()] == [folder]


def test_a_folder_without_a_lock_stays_while_it_may_be_in_the_making(tmp_path):
    new, old, other = (tmp_path / f"{name}x" for name in (*PREFIXES, "tidemill-other-"))
    for one in (new, old, other):
        one.mkdir()
    two_days_ago = time.time() - 48 * 3600
    for one in (old, other):
        os.utime(one, (two_days_ago, two_days_ago))
    sweep(str(tmp_path))
    assert sorted(tmp_path.iterdir()) == sorted([new, other])
