"""Files are described once, and bad ones are set aside only if that is asked for."""

import pandas as pd
import pytest

from tidemill.errors import SourceError
from tidemill.model.source import ColumnRoles, Reading
from tidemill.sources.files.describe import Files, digest_by_content, digest_by_version
from tidemill.sources.files.discovery import discover
from tidemill.sources.files.formats import FORMATS
from tidemill.storage.stores import Store

FRAME = pd.DataFrame({"id": [1, 1], "x": [1.0, 2.0]})
QUARANTINE = Reading(on_bad_file="quarantine")


@pytest.fixture
def folder(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet", index=False)
    (tmp_path / "b.parquet").write_bytes(b"")
    return tmp_path


def files(folder, reading=QUARANTINE, digest=digest_by_version, **options):
    return Files(Store.open(str(folder)), FORMATS["parquet"], reading, digest, **options)


def test_bad_files_are_set_aside_with_the_reason(folder):
    found = discover(folder).files
    good, bad = files(folder).describe(found)
    assert [(one.file.path, one.file.rows, one.file.groups) for one in good] == [
        ("a.parquet", 2, 1)
    ]
    assert good[0].columns.schema.names == ["id", "x"]
    assert [(one.path, one.size, one.identity) for one in bad] == [
        ("b.parquet", 0, found[1].version)
    ]
    assert f"{folder}/b.parquet" in bad[0].reason
    with pytest.raises(SourceError, match=r"b\.parquet"):
        files(folder, Reading()).describe(found)
    with pytest.raises(SourceError, match="none of 1 input files can be read"):
        files(folder).describe(found[1:])


def test_files_that_describe_themselves_are_not_scanned(folder):
    looked = files(folder)
    good, _ = looked.describe(discover(folder).files)
    assert looked.scan(good, ColumnRoles("id", None, None, ("x",))) == (good, [])


def test_digests_tell_contents_or_versions_apart(folder):
    found = discover(folder / "a.parquet").files
    by_content, by_version = (
        files(folder, digest=one).describe(found)[0][0].file.digest
        for one in (digest_by_content, digest_by_version)
    )
    assert by_content.startswith("content:")
    assert by_version.startswith("version:")
