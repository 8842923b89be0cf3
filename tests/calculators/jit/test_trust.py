"""A folder that others can write, or swap, is told from one that they cannot."""

from __future__ import annotations

import os

import pytest

from tidemill.calculators.jit.trust import find_intruder


@pytest.mark.parametrize(
    ("mode", "above", "safe"),
    [
        (0o700, 0o755, True),
        (0o755, 0o1777, True),  # as in /tmp
        (0o755, 0o777, False),
        (0o777, 0o755, False),
        (0o1777, 0o755, False),  # the sticky bit does not keep others from making files
    ],
)
def test_modes_of_the_folder_and_of_what_is_above(mode, above, safe, tmp_path):
    folder = tmp_path / "above" / "folder"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    folder.parent.chmod(above)
    assert (find_intruder(folder) == "") is safe


def test_a_folder_of_another_user(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    owner = tmp_path.lstat().st_uid
    assert ("belongs to another user" in find_intruder(tmp_path)) is (owner != 0)


def test_a_link_is_no_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert find_intruder(tmp_path / "link") == f"{tmp_path / 'link'} is no folder"
