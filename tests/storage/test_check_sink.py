"""What cannot be a sink is refused before any work is done."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from tidemill.errors import SinkError
from tidemill.storage.check_sink import check_sink
from tidemill.storage.layout import SinkLayout

from .publishing import go

KEY = "a" * 64
COLUMNS = ["value__cwt_coefficients__coeff_0__w_2__widths_(2, 5)", 'x__agg__attr_"max"']


def test_new_and_own_sinks_are_fine(place, write_parts):
    for name in ("matrix", "matrix.parquet"):
        layout = SinkLayout.of(f"{place[0]}/{name}", place[1])
        key = layout.key(KEY)
        check_sink(layout)
        key.state.write(key.plan, b"{}")  # a run died before it published
        check_sink(layout)
        go(layout, key, *write_parts(key, range(3), COLUMNS))
        check_sink(layout)


def test_checking_a_folder_writes_nothing(tmp_path):
    check_sink(SinkLayout.of(tmp_path / "a/b/matrix"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").write_text("")
    check_sink(SinkLayout.of(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["a\n", "\x1b[2Jb", "c\u202e.parquet"])
def test_a_path_that_cannot_be_printed_is_refused(name, tmp_path):
    with pytest.raises(SinkError, match="holds characters that cannot be printed") as caught:
        check_sink(SinkLayout.of(tmp_path / name))
    assert str(caught.value).isprintable()


def test_a_folder_with_something_else_is_refused(place):
    layout = SinkLayout.of(f"{place[0]}/matrix", place[1])
    for number in range(12):
        layout.home.write(f"file{number:02d}.txt", b"mine")
    layout.home.write("data/x", b"mine")
    with pytest.raises(SinkError) as caught:
        check_sink(layout)
    for words in ("something else", "file00.txt", "(13 in all)", "choose an empty or a new folder"):
        assert words in str(caught.value)
    assert len(layout.home.list()) == 13


def test_files_and_folders_are_not_taken_for_one_another(place):
    top = SinkLayout.of(f"{place[0]}/x", place[1]).home
    top.write("taken", b"a file")
    top.write("folder.parquet/x", b"a file below")
    refused = {"taken": "is a file", "folder.parquet": "is a folder"}
    if top.is_local:
        refused |= {"taken/below": "is a file", "taken/below.csv": "is a file"}
    for name, words in refused.items():
        with pytest.raises(SinkError, match=words):
            check_sink(SinkLayout.of(top.url_of(name), place[1]))


def test_a_sink_in_the_input_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "input")
    cases = [
        ("input", "input", "is the input itself"),
        ("link", tmp_path / "input", "is the input itself"),
        ("input/matrix", "input", "lies inside the input"),
        ("link/m.parquet", tmp_path / "input", "lies inside the input"),
        ("input/x.parquet", "input/x.parquet", "is the input itself"),
        ("matrix", "matrix/data.parquet", "lies inside the sink"),
        ("s3://b/x", "s3://b/x/", "is the input itself"),
        ("s3://b/x/y", "s3://b/x", "lies inside the input"),
    ]
    for sink, source, words in cases:
        with pytest.raises(SinkError, match=words):
            check_sink(SinkLayout.of(sink), [source])
    check_sink(SinkLayout.of("input2"), ["input", "input/x.parquet"])


def test_a_sink_that_cannot_be_written_is_refused(tmp_path, monkeypatch, s3_options):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SinkError, match="no permission to write"):
        check_sink(SinkLayout.of(tmp_path / "matrix"))
    with pytest.raises(SinkError, match="bucket"):
        check_sink(SinkLayout.of("s3://no-such-bucket/matrix.csv", s3_options))
    with pytest.raises(SinkError, match="bucket"):
        check_sink(SinkLayout.of("s3://no-such-bucket/matrix", s3_options))


@pytest.mark.parametrize(
    ("sink", "pattern", "is_refused"),
    [
        ("in/a.parquet", "in/*.parquet", True),
        ("in/deep/a.parquet", "in/*.parquet", False),
        ("in/deep/er/a.parquet", "in/**/*.parquet", True),
        ("in/a.parquet", "in/**/*.parquet", True),
        ("in/a.csv", "in/*.parquet", False),
        ("in/table", "in/*/*.parquet", True),
        ("in/table", "in/*.parquet", False),
        ("s3://b/in/deep/a.parquet", "s3://b/in/*.parquet", True),
    ],
)
def test_a_sink_that_a_pattern_of_the_input_matches_is_refused(
    sink, pattern, is_refused, tmp_path, monkeypatch, s3_options
):
    monkeypatch.chdir(tmp_path)
    layout = SinkLayout.of(sink, s3_options if "://" in sink else None)
    if not is_refused:
        check_sink(layout, [pattern])
        return
    with pytest.raises(SinkError, match="is matched by the input"):
        check_sink(layout, [pattern])


def test_a_table_lies_in_no_folder_that_delta_readers_take_for_another(tmp_path):
    for url in (f"{tmp_path}/a%20b", f"{tmp_path}/a%2Fb/table", "s3://bucket/a?b", "s3://b/x#y"):
        with pytest.raises(SinkError, match=r"in its path.* rename the folder, or give a sink"):
            check_sink(SinkLayout.of(url))
    for name in ("a%20b.parquet", "50%", "a%zz", "a#b"):
        check_sink(SinkLayout.of(tmp_path / name))


def test_intervals_need_a_table(tmp_path):
    check_sink(SinkLayout.of(tmp_path / "matrix"), intervals=True)
    with pytest.raises(SinkError, match="cannot be divided into intervals; give the folder"):
        check_sink(SinkLayout.of(tmp_path / "matrix.csv"), intervals=True)


def test_a_foreign_table_is_never_replaced_by_sink_checks(tmp_path):
    write_deltalake(
        str(tmp_path / "sales"),
        pa.table({"customer": ["a"], "sum": [1]}),
        commit_properties=CommitProperties(custom_metadata={"who": "me"}),
    )
    with pytest.raises(SinkError, match=r"tidemill did not make \(columns customer, sum\)"):
        check_sink(SinkLayout.of(tmp_path / "sales"))
