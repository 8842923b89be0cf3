"""Errors of storage: one family, and whether the call may succeed when made again."""

from __future__ import annotations

import errno
import os
import shutil

import obstore
import pytest
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError

from tidemill.errors import LeaseLostError, ResourceError
from tidemill.storage.stores import Store
from tidemill.storage.transient import disk_full, is_transient, translated


def test_no_network_is_transient_and_short(monkeypatch):
    values = {"K": "k", "S": "s", "R": "r", "E": "http://127.0.0.1:9", "H": "true"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    backend = obstore.store.S3Store(
        "b",
        config={"aws_endpoint_url": values["E"], "aws_region": "r", "skip_signature": True},
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(ConnectionError) as caught, translated("s3://b/x"):
        obstore.get(backend, "x")
    assert is_transient(caught.value)
    assert "\n" not in str(caught.value)


S3 = "Generic S3 error: Error performing PUT http://h/b in 1s - "


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.ESTALE, ""), True),
        (OSError(errno.EIO, ""), True),
        (OSError(errno.ETIMEDOUT, ""), True),
        (OSError(errno.ENOSPC, ""), False),
        (OSError(errno.EROFS, ""), False),
        (FileNotFoundError(errno.ENOENT, ""), False),
        (FileNotFoundError("error sending request: 503"), False),
        (PermissionError(), False),
        (PermissionDeniedError("timed out"), False),
        (GenericError(f"{S3}Server returned non-2xx status code: 503: SlowDown"), True),
        (GenericError(f"{S3}Server returned non-2xx status code: 429: x"), True),
        (GenericError(f"{S3}Server returned non-2xx status code: 400: InvalidRequest"), False),
        (GenericError(f"{S3}HTTP error: error sending request"), True),
        (GenericError("Generic LocalFileSystem error: x: Stale file handle (os error 116)"), True),
        (GenericError("Generic LocalFileSystem error: x: No space (os error 28)"), False),
        (LeaseLostError("connection timed out"), False),
        (ResourceError("connection timed out"), False),
        (ValueError("timed out"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_is_transient(error, transient):
    assert is_transient(error) is transient


def test_missing_credentials_are_said_to_be_missing():
    """The store looks for them on the machine itself, and its error speaks of that."""
    asked = "Error performing PUT http://169.254.169.254/latest/api/token in 2ms"
    text = f"Generic S3 error: {asked} - Server returned non-2xx status code: 403 Forbidden"
    with (
        pytest.raises(PermissionError, match="No credentials were found; set") as caught,
        translated("s3://b/x"),
    ):
        raise BaseError(text)
    assert not is_transient(caught.value)


def test_a_full_disk_names_folder_need_and_remedy(tmp_path):
    for error in (OSError(errno.ENOSPC, "x"), GenericError("y: No space left (os error 28)")):
        with pytest.raises(ResourceError) as caught, translated(str(tmp_path / "a/b"), 1_234_567):
            raise error
        for words in (str(tmp_path), "1,234,567 bytes", "are free", "make room"):
            assert words in str(caught.value)
    assert "file was being written" in str(disk_full(str(tmp_path), None))


@pytest.mark.parametrize(
    ("files", "favail", "says"),
    [
        (300, 0, "300 of its 300 inodes are used"),
        (300, 5, "295 of its 300 inodes are used"),  # as threads have deleted unfinished files
        (300, 200, "so a quota"),
        (0, 0, "so a quota"),  # a file system that does not count them, such as btrfs
    ],
)
def test_few_inodes_beside_many_bytes_are_the_reason(files, favail, says, tmp_path, monkeypatch):
    found = os.statvfs(tmp_path)
    numbers = [*found[:5], files, favail, favail, *found[8:]]
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(2**30, 0, 2**30))
    monkeypatch.setattr("os.statvfs", lambda _: os.statvfs_result(numbers))
    assert says in str(disk_full(str(tmp_path / "a"), 10))


def test_os_errors_of_the_backend_are_ordinary(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        Store.open(tmp_path).write("file/below", b"")
    with pytest.raises(PermissionError), translated("u"):
        raise PermissionDeniedError("no")
    with pytest.raises(OSError, match="strange"), translated("u"):
        raise GenericError("strange")
