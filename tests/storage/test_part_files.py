"""Files of parts that are not those that were written."""

from __future__ import annotations

import errno
import hashlib

import pytest

from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import Marker, commit_part, committed, recorded
from tidemill.storage.part_files import OTHER, discard_damaged, file_fault

DATA = bytes(range(256)) * 40


@pytest.fixture
def key(tmp_path):
    """Three committed parts."""
    key = SinkLayout.of(tmp_path / "matrix").key("ab" * 32)
    for index in range(3):
        path, coverage = key.part(index), key.coverage(index)
        key.data.write(path, DATA)
        key.state.write(coverage, DATA[:9])
        sums = (hashlib.sha256(data).hexdigest() for data in (DATA, DATA[:9]))
        checksums = dict(zip(("checksum", "coverage_checksum"), sums, strict=True))
        commit_part(
            key, Marker(index, path, 3, len(DATA), seconds=0, coverage=coverage, **checksums)
        )
    return key


@pytest.mark.parametrize("which", ["path", "coverage"])
@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA[::-1], None])
def test_only_a_damaged_part_is_discarded_and_then_committed_again(which, data, key, caplog):
    marker = committed(key)[1]
    store = key.data if which == "path" else key.state
    path = getattr(marker, which)
    store.delete(path)
    if data is not None:
        store.write(path, data)
    assert discard_damaged(key, recorded(key).values()) == [1]
    assert f"part 2 is calculated again: {store.url_of(path)} is " in caplog.text
    assert sorted(committed(key)) == [0, 2]
    store.write(path, DATA if which == "path" else DATA[:9])
    assert commit_part(key, marker) == marker
    assert discard_damaged(key, recorded(key).values()) == []


def test_parts_whose_checksum_is_not_known_stay(key):
    key.data.write("part-old", DATA)
    commit_part(key, Marker(7, "part-old", 3, len(DATA), "", 0.1))
    assert discard_damaged(key, recorded(key).values()) == []
    assert sorted(committed(key)) == [0, 1, 2, 7]


def test_a_file_that_the_disk_cannot_read_is_a_fault_and_one_that_may_not_be_read_an_error(
    key, monkeypatch
):
    path, sha256 = committed(key)[0].path, hashlib.sha256(DATA).hexdigest()
    assert file_fault(key.data, path, sha256) == ""
    assert file_fault(key.data, path, "other") == OTHER

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("tidemill.storage.part_files.checksum", broken)
    assert "cannot be read" in file_fault(key.data, path, sha256)

    def closed(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tidemill.storage.part_files.checksum", closed)
    with pytest.raises(PermissionError):
        file_fault(key.data, path, sha256)
