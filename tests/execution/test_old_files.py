"""Which files are part files, and which are those of unfinished writers."""

from __future__ import annotations

import time

import pytest

from tidemill.execution.old_files import SinkState, old_state, unfinished_files
from tidemill.storage.layout import SinkLayout

from ..support.ages import age

OWN = f"part-{'0' * 16}-000001-{'a' * 16}.parquet"


@pytest.mark.parametrize("name", ["table", "matrix.parquet", "matrix.csv"])
def test_files_that_were_never_whole_are_those_of_killed_writers(name, tmp_path):
    layout = SinkLayout.of(tmp_path / name)
    home, state = layout.home.local_path(), layout.state.local_path()
    state.mkdir(parents=True)
    whole = OWN if layout.kind == "delta" else name
    unique = "0123456789ab"
    killed = {home / f".{whole}.{unique}", state / f".x.npz.{unique}", state / "a.json#1"}
    others = {home / ".mine", home / f".other.txt.{unique}", home / "b#c", state / "a.json"}
    for path in killed | others:
        path.write_bytes(b"x")
    age(tmp_path, 2)
    before = time.time() - 86_400
    found = {
        one.store.local_path(entry.path)
        for one in unfinished_files(layout, before)
        for entry in one.entries
    }
    assert found == killed
    assert not any(one.entries for one in unfinished_files(layout, before - 3 * 86_400))


def test_what_an_empty_state_holds_is_not_old(tmp_path):
    state = SinkState(SinkLayout.of(tmp_path / "none"), (), ())
    assert not any(one.entries for one in old_state(state, time.time()))
    assert not state.is_in_use
