"""Columns in paths: folders as Arrow and Hive write them, and patterns of the user's."""

import pyarrow as pa
import pytest

from tidemill.errors import ArgumentError, SourceError
from tidemill.sources.files.path_columns import PathPattern, folder_columns, type_of_text


def test_folders_are_columns_and_file_names_are_not():
    path = "/lake/year=2026/site=a%2Fb/=x/note/kind=a=b/id=7.parquet"
    assert folder_columns(path) == (("year", "2026"), ("site", "a/b"), ("kind", "a=b"))
    assert folder_columns("s3://b/site=__HIVE_DEFAULT_PARTITION__/x.pq") == (("site", None),)


@pytest.mark.parametrize(
    ("values", "is_whole"),
    [
        (["1", "-2", "0"], True),
        (["1", None], True),
        ([str(2**63 - 1), str(-(2**63))], True),
        ([str(2**63)], False),
        (["007", "7"], False),
        (["-0"], False),
        (["+7"], False),
        ([" 7"], False),
        (["1e3"], False),
        (["1.0"], False),
        (["\u0667"], False),
        ([None], False),
        ([], False),
    ],
)
def test_text_is_a_number_only_if_it_reads_back_as_it_is_written(values, is_whole):
    assert type_of_text(values) == (pa.int64() if is_whole else pa.string())


@pytest.mark.parametrize(
    ("pattern", "path", "columns"),
    [
        ("{id}.csv", "/in/deep/a b.csv", {"id": "a b"}),
        ("{site}/{id}.csv", "s3://bucket/in/north/7.csv", {"site": "north", "id": "7"}),
        ("run_{run}/{id}-{kind}.pq", "/x/run_3/a-temp.pq", {"run": "3", "id": "a", "kind": "temp"}),
        ("{id}.csv.gz", "/in/x.1.csv.gz", {"id": "x.1"}),
    ],
)
def test_a_pattern_reads_the_end_of_a_path(pattern, path, columns):
    assert dict(PathPattern(pattern).read(path)) == columns


def test_a_path_that_does_not_match_or_in_two_ways_is_refused():
    with pytest.raises(SourceError, match=r"/in/a\.txt does not match id_from_path"):
        PathPattern("{id}.csv").read("/in/a.txt")
    with pytest.raises(SourceError, match="in several ways"):
        PathPattern("{id}-{kind}.csv").read("/in/a-b-c.csv")


@pytest.mark.parametrize("pattern", ["id.csv", "{}.csv", "{a}{b}.csv", "{a}/{a}.csv", "{a}/b}.csv"])
def test_patterns_that_say_nothing_are_refused(pattern):
    with pytest.raises(ArgumentError, match="id_from_path="):
        PathPattern(pattern)
