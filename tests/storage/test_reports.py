"""Reports lie in the state of their sink, on disk and on S3."""

from __future__ import annotations

import pytest

from tidemill.storage.layout import SinkLayout
from tidemill.storage.reports import neighbours, read_report, reported_runs, write_report


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_a_report_is_read_back(place, name):
    layout = SinkLayout.of(f"{place[0]}/{name}", place[1])
    assert reported_runs(layout) == frozenset()
    with pytest.raises(FileNotFoundError):
        read_report(layout, "a")
    write_report(layout, "a", "<p>ü</p>")
    write_report(layout, "b", "old")
    write_report(layout, "b", "new")
    assert reported_runs(layout) == {"a", "b"}
    assert read_report(layout, "a") == "<p>ü</p>"
    assert read_report(layout, "b") == "new"


def test_a_browser_is_told_what_it_gets(s3, s3_options):
    url, _, client = s3
    layout = SinkLayout.of(f"{url}/matrix", s3_options)
    write_report(layout, "a", "<p>fine</p>")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    key = f"{prefix}/matrix/_tidemill/reports/a.html".lstrip("/")
    assert client.head_object(Bucket=bucket, Key=key)["ContentType"] == "text/html; charset=utf-8"


def test_other_files_are_no_reports(layout):
    layout.reports.write("notes.txt", b"mine")
    assert reported_runs(layout) == frozenset()


def test_neighbours_are_the_runs_right_before_and_after():
    runs = {"20260101T000000-b", "20260101T000000-a", "20260102T000000-a"}
    assert neighbours("20260101T000000-b", runs) == ("20260101T000000-a", "20260102T000000-a")
    assert neighbours("20300101T000000-a", runs) == ("20260102T000000-a", None)
