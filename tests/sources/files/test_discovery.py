"""Files of an input: the same ones, in the same order, however the input is named."""

import os

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tidemill.errors import SourceError
from tidemill.sources.files.discovery import discover


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.csv",
        "deep/a.csv",
        "deep/_log.csv",
        ".git/c.csv",
        "_old/data.xls",
        "notes.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("id,x\n")
    return tmp_path


def names(location):
    return [file.path for file in discover(location).files]


def test_a_folder_is_walked_without_hidden_names(folder):
    found = discover(folder)
    assert (found.url, found.format) == (str(folder), "csv")
    assert [file.path for file in found.files] == ["b.csv", "deep/a.csv"]
    info = (folder / "b.csv").stat()
    assert (found.files[0].size, found.files[0].version) == (5, str(info.st_mtime_ns))


def test_files_that_are_skipped_are_named_once(folder, caplog):
    (folder / "photo.png").write_text("")
    for _ in range(2):
        discover(folder)
    (record,) = caplog.records
    assert record.message.endswith("are skipped, by their suffix: notes.txt, photo.png")


def test_a_file_that_is_named_may_be_hidden(folder):
    assert names(folder / "deep" / "_log.csv") == ["_log.csv"]


def test_lists_are_sorted_without_repeats_below_the_common_folder(folder):
    location = [folder / "deep" / "a.csv", f"{folder}/*.csv", folder]
    assert names(location) == ["b.csv", "deep/a.csv"]


def test_links_are_followed(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "link").symlink_to(folder)
    assert names(elsewhere) == ["b.csv", "deep/a.csv"]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ([], "the input is an empty list"),
        ("missing", r"no input files at '.*missing': give a file, folder or glob"),
        ("_old/data.xls", r"cannot read '.*data\.xls': input files end in \.parquet, \.pq, \.csv"),
    ],
)
def test_locations_without_input(folder, location, message):
    with pytest.raises(SourceError, match=message):
        discover(folder / location if location else location)


def test_formats_are_not_mixed(folder):
    (folder / "c.pq").write_bytes(b"")
    with pytest.raises(SourceError, match=r"mixes formats .*give files of one format"):
        discover(folder)


def test_a_delta_table_without_one_of_its_files_is_refused(tmp_path):
    write_deltalake(tmp_path, pa.table({"id": [1], "x": [0.5]}))
    assert len(names(tmp_path)) == 1
    (tmp_path / names(tmp_path)[0]).unlink()
    with pytest.raises(SourceError, match=r"files of the Delta table .* are missing"):
        discover(tmp_path)


def test_values_in_folders_and_in_the_log_are_columns(tmp_path):
    for site in ("a", "b c"):
        (tmp_path / f"site={site}").mkdir()
        (tmp_path / f"site={site}" / "x.csv").write_text("id,x\n")
    assert [one.constants for one in discover(tmp_path).files] == [
        (("site", "a"),),
        (("site", "b c"),),
    ]
    table = tmp_path / "a table"
    rows = pa.table({"site": ["a/x", "b c", None], "day": [7, 8, 9], "x": [1.0, 2.0, 3.0]})
    write_deltalake(table, rows, partition_by=["site", "day"])
    found = discover(table)
    assert {dict(one.constants)["site"] for one in found.files} == {"a/x", "b c", None}
    assert found.declared.field("day").type == pa.int64()
    assert {dict(one.constants)["day"] for one in found.files} == {"7", "8", "9"}


def test_a_pattern_gives_every_file_its_columns(folder):
    files = discover([folder / "deep", folder / "b.csv"], None, "{id}.csv").files
    assert [one.constants for one in files] == [(("id", "b"),), (("id", "a"),)]
    with pytest.raises(SourceError, match=r"b\.csv does not match id_from_path='s_\{id\}\.csv'"):
        discover(folder, None, "s_{id}.csv")


def test_text_files_are_input_if_there_is_no_other(tmp_path, folder):
    assert names(folder) == ["b.csv", "deep/a.csv"]
    assert names(folder / "notes.txt") == ["notes.txt"]
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "a.txt").write_text("id,x\n")
    (alone / "b.txt.gz").write_text("id,x\n")
    assert names(alone) == ["a.txt", "b.txt.gz"]


def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path):
    pipe = tmp_path / "x.csv"
    os.mkfifo(pipe)
    for location in (pipe, tmp_path, tmp_path / "*.csv", [pipe], "/dev/zero"):
        with pytest.raises(SourceError, match="no regular file, but a pipe"):
            discover(location)


def test_what_is_no_input_may_be_anything(tmp_path):
    (tmp_path / "a.csv").write_text("id,value")
    os.mkfifo(tmp_path / "control")
    (tmp_path / "lock").symlink_to("host.1234")
    assert [file.path for file in discover(tmp_path).files] == ["a.csv"]


def test_a_link_to_nothing_is_named(tmp_path):
    (tmp_path / "a.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(SourceError, match=r"a\.csv' is a link to nothing"):
        discover(tmp_path)


def test_folders_that_link_to_each_other_are_walked_once(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "x.csv").write_text("id,value")
        for n in range(3):  # three ways at each step: without an end, 3**40 of them
            (tmp_path / one / f"link{n}").symlink_to(tmp_path / other)
    found = [file.path for file in discover(tmp_path).files]
    assert found == sorted(
        [f"{one}/x.csv" for one in "ab"]
        + [f"{one}/link{n}/x.csv" for one in "ab" for n in range(3)]
    )
