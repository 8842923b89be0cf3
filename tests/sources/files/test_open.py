"""What is refused at the door, and what identifies an input."""

import gzip
import os
import shutil
from dataclasses import replace

import boto3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from moto.server import ThreadedMotoServer

from tidemill.errors import DataError, SourceChangedError, SourceError
from tidemill.execution.spill import check_space, drop_spill, run_spill_task
from tidemill.model.plan import Plan
from tidemill.model.policies import Policies
from tidemill.planning.parts import make_parts
from tidemill.sources.files import open as files
from tidemill.sources.files.open import check_unchanged, open_source
from tidemill.sources.files.parquet import PARQUET
from tidemill.sources.files.read import read_part
from tidemill.sources.files.schema import read_schema
from tidemill.sources.files.statistics import gather_statistics
from tidemill.storage.stores import Store

FRAME = pd.DataFrame({"id": [1, 1, 2], "time": [1, 2, 1], "x": [0.5, 1.5, 2.5], "y": [1, 2, 3]})


@pytest.fixture
def folder(tmp_path):
    """Two files; things that are no input beside them."""
    FRAME.to_parquet(tmp_path / "b.parquet")
    (tmp_path / "deep").mkdir()
    FRAME.to_parquet(tmp_path / "deep" / "a.pq")
    for name in ("_state/c.parquet", ".hidden.parquet", "_d.parquet", "e.parquet.tmp", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no input")
    return tmp_path


def paths(source):
    return [file.path for file in source.files]


def test_a_folder_is_read_recursively_without_hidden_names(folder):
    source = open_source(folder, column_id="id", column_sort="time")
    assert source.url == str(folder)
    assert paths(source) == ["b.parquet", "deep/a.pq"]
    assert source.kinds == source.columns.values == ("x", "y")  # noqa: PD011
    assert (source.format, source.id_type) == ("parquet", "int64")
    assert [file.rows for file in source.files] == [3, 3]


def test_files_globs_lists_and_urls(folder, monkeypatch):
    def opened(location):
        source = open_source(location, column_id="id")
        return [f"{source.url}/{path}" for path in paths(source)]

    both = [f"{folder}/b.parquet", f"{folder}/deep/a.pq"]
    assert opened(folder / "b.parquet") == both[:1]
    assert opened(f"{folder}/**/[ab].*") == both
    assert opened(both[::-1]) == both
    assert opened([folder, folder / "b.parquet"]) == both
    assert opened(f"file://{folder}/deep") == both[1:]
    monkeypatch.chdir(folder)
    assert opened("deep") == both[1:]


def test_a_delta_table_is_read_as_its_current_files(tmp_path):
    for _ in range(2):
        write_deltalake(tmp_path, pa.Table.from_pandas(FRAME), mode="overwrite")
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    source = open_source(tmp_path, column_id="id")
    assert paths(source) == [path.rpartition("/")[2] for path in DeltaTable(tmp_path).file_uris()]


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"column_id": "ID"}, "column_id='ID' is not a column of the input; nearest: 'id'"),
        ({"column_sort": "tme"}, "column_sort='tme' is not a column of the input; nearest: 'time'"),
        ({"column_sort": "id"}, "column_id and column_sort are both 'id'"),
        ({"column_kind": "time"}, r"long format .*'x', 'y'; name it in column_value"),
        ({"column_kind": "x", "column_value": "y"}, "'x' has type double, but kinds are names"),
        ({"column_value": "z"}, "column_value='z' is not a column"),
    ],
)
def test_roles_that_do_not_fit(folder, roles, message):
    with pytest.raises(SourceError, match=message):
        open_source(folder, **{"column_id": "id"} | roles)


def test_values_may_be_chosen(folder):
    assert open_source(folder, column_id="id", column_value="y").kinds == ("y",)
    assert open_source(folder, column_id="id", column_value=["y", "x"]).kinds == ("y", "x")


def test_the_index_that_pandas_writes_is_no_value(tmp_path):
    FRAME.set_index(pd.Index([7, 8, 9])).to_parquet(tmp_path / "a.parquet")
    assert open_source(tmp_path, column_id="id", column_sort="time").kinds == ("x", "y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": ["a", "b", "c"]}, "column 'x' has type .*string, but values must be numbers"),
        ({"x": pd.to_datetime([1, 2, 3])}, "column 'x' has type timestamp"),
        ({"a__b": [1.0, 2.0, 3.0]}, "'a__b'.* contains '__'"),
        ({"id": [[1], [1], [2]]}, "column 'id': ids of type list"),
        ({"time": [[1], [1], [2]]}, "column 'time' has type list.* no order"),
    ],
)
def test_columns_of_the_wrong_type(tmp_path, change, message):
    FRAME.assign(**change).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=message):
        open_source(tmp_path, column_id="id", column_sort="time")


def test_files_of_different_schema(folder):
    FRAME.astype({"x": "float32"}).assign(z=1).to_parquet(folder / "c.parquet")
    source = open_source(folder, column_id="id", column_sort="time")
    assert (source.kinds, source.lacking) == (("x", "y", "z"), ("z",))
    assert read_schema(source).field("x").type == pa.float64()
    FRAME.assign(x="text").to_parquet(folder / "c.parquet")
    with pytest.raises(SourceError, match=r"c\.parquet: column 'x' has type string"):
        open_source(folder, column_id="id", column_sort="time")
    assert open_source(folder, column_id="id", column_value="y").kinds == ("y",)


def test_text_and_categories_are_one_schema(tmp_path):
    text = FRAME.assign(id=["a", "a", "b"])
    text.to_parquet(tmp_path / "a.parquet")
    text.astype({"id": "category"}).to_parquet(tmp_path / "b.parquet")
    assert open_source(tmp_path, column_id="id").id_type == "string"


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_truncated_parquet(folder, keep):
    data = (folder / "b.parquet").read_bytes()
    (folder / "b.parquet").write_bytes(data[:keep])
    with pytest.raises(SourceError, match=r"b\.parquet cannot be read .*damaged or incomplete"):
        open_source(folder, column_id="id")


def test_a_damaged_row_group_is_found_when_it_is_read(tmp_path):
    table = pa.table({"id": np.arange(5000), "x": np.random.default_rng(0).normal(size=5000)})
    pq.write_table(table, tmp_path / "a.parquet", write_statistics=False)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[4:400] = bytes(396)
    (tmp_path / "a.parquet").write_bytes(data)
    source = open_source(tmp_path, column_id="id")
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read"):
        gather_statistics(source)


def test_nothing_to_read(tmp_path):
    with pytest.raises(SourceError, match="no input files"):
        open_source(tmp_path, column_id="id")
    with pytest.raises(SourceError, match="no input files"):
        open_source(tmp_path / "none.parquet", column_id="id")
    with pytest.raises(SourceError, match="empty list"):
        open_source([], column_id="id")
    FRAME.iloc[:0].to_parquet(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="has no rows"):
        open_source(tmp_path, column_id="id")


def test_formats_are_not_mixed(folder):
    FRAME.to_csv(folder / "c.csv")
    with pytest.raises(SourceError, match="mixes formats"):
        open_source(folder, column_id="id")
    with pytest.raises(SourceError, match=r"cannot read .*e\.parquet\.tmp"):
        open_source(folder / "e.parquet.tmp", column_id="id")


def test_kinds_of_the_long_format_are_found_in_all_row_groups(tmp_path):
    frame = pd.DataFrame({"id": range(100), "kind": ["b"] * 99 + ["a"], "x": 1.0})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=10)
    source = open_source(tmp_path, column_id="id", column_kind="kind", column_value="x")
    assert source.kinds == ("a", "b")
    frame.assign(kind=frame["kind"].map({"a": "a__a", "b": "b"})).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match="'a__a'"):
        open_source(tmp_path, column_id="id", column_kind="kind")
    frame.assign(kind=None).astype({"kind": "str"}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: column 'kind' is null in 100 of 100 rows"):
        open_source(tmp_path, column_id="id", column_kind="kind")


def test_null_ids_are_found_from_statistics(tmp_path):
    FRAME.assign(id=pd.array([1, None, 2], "Int64")).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: column 'id' is null in 1 row"):
        gather_statistics(open_source(tmp_path, column_id="id"))


def test_a_copy_elsewhere_is_the_same_input(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(folder, elsewhere)
    os.utime(elsewhere / "b.parquet", (1, 1))
    one, other = (open_source(place, column_id="id") for place in (folder, elsewhere))
    assert one.fingerprint == other.fingerprint
    assert open_source(folder, column_id="id", column_sort="time").fingerprint != one.fingerprint


@pytest.mark.parametrize("digest_bytes", [2**31, 0])
def test_a_value_changed_in_place_changes_the_fingerprint(tmp_path, monkeypatch, digest_bytes):
    monkeypatch.setattr(files, "DIGEST_BYTES", digest_bytes)
    values = np.random.default_rng(0).normal(size=100_000)
    table = pa.table({"id": np.arange(100_000), "x": values})
    pq.write_table(table, tmp_path / "a.parquet")
    before = open_source(tmp_path, column_id="id")
    values[500] += 0.01
    pq.write_table(pa.table({"id": np.arange(100_000), "x": values}), tmp_path / "a.parquet")
    after = open_source(tmp_path, column_id="id")
    assert before.files[0].size == after.files[0].size  # and the footers are equal, too
    assert before.fingerprint != after.fingerprint
    check_unchanged(after)
    with pytest.raises(SourceChangedError, match=r"1 of 1 input files .*a\.parquet"):
        check_unchanged(before)


def test_a_touched_file_has_not_changed_but_a_missing_one_has(folder):
    source = open_source(folder, column_id="id")
    os.utime(folder / "b.parquet", (1, 1))
    check_unchanged(source)
    (folder / "b.parquet").unlink()
    with pytest.raises(SourceChangedError, match=r"b\.parquet"):
        check_unchanged(source)


def test_thousands_of_files(tmp_path):
    FRAME.to_parquet(tmp_path / "0.parquet")
    for number in range(1, 2000):
        os.link(tmp_path / "0.parquet", tmp_path / f"{number}.parquet")
    source = open_source(tmp_path, column_id="id")
    statistics = gather_statistics(source)
    assert statistics.profile.rows == 6000
    assert statistics.profile.ids == pytest.approx(2)
    assert source.files[1].path == "1.parquet"


@pytest.fixture(scope="module")
def bucket():
    """URL of an empty bucket on a local S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        client.create_bucket(Bucket="tide")
        yield "s3://tide"
    server.stop()


def test_object_storage(folder, bucket):
    store = Store.open(f"{bucket}/in")
    for name in ("b.parquet", "deep/a.pq", "_d.parquet"):
        store.write(name, (folder / name).read_bytes())
    source = open_source(f"{bucket}/in", column_id="id")
    assert (source.url, paths(source)) == (f"{bucket}/in", ["b.parquet", "deep/a.pq"])
    assert gather_statistics(source).profile.ids == 2
    check_unchanged(source)
    assert paths(open_source(f"{bucket}/in/b.parquet", column_id="id")) == ["b.parquet"]
    assert paths(open_source(f"{bucket}/in/*/*.pq", column_id="id")) == ["a.pq"]
    FRAME.assign(x=0.0).to_parquet(folder / "b.parquet")
    store.write("b.parquet", (folder / "b.parquet").read_bytes())
    with pytest.raises(SourceChangedError, match=r"b\.parquet"):
        check_unchanged(source)
    with pytest.raises(SourceError, match="no input files"):
        open_source(f"{bucket}/out", column_id="id")


def test_parts_and_spill_in_object_storage(tmp_path, bucket):
    frame = pd.DataFrame({"id": [*range(30)] * 10, "time": np.repeat(np.arange(10), 30)})
    frame.assign(x=frame["id"] + frame["time"] / 10).to_parquet(tmp_path / "a.parquet")
    Store.open(bucket).write("time/a.parquet", (tmp_path / "a.parquet").read_bytes())
    source = open_source(f"{bucket}/time", column_id="id", column_sort="time")
    found = gather_statistics(source)
    layout, parts = make_parts(source, found, lambda *_: 0.0, part_bytes=400)
    plan = Plan("key", source, {}, Policies(), layout, parts, (), {})
    assert (layout, len(parts)) == ("spilled", 30)
    run_spill_task(plan, 0, f"{bucket}/work")
    (batch,) = read_part(plan, parts[3], f"{bucket}/work", needs_times=False)
    assert batch.ids.to_pylist() == [3]
    assert list(batch.blocks["x"].values) == [3 + time / 10 for time in range(10)]
    check_space(plan, f"{bucket}/work")
    drop_spill(plan, f"{bucket}/work")
    assert Store.open(bucket).list("work") == []


def test_compressed_csv_is_found(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        FRAME.to_csv(file, index=False)
    source = open_source(tmp_path, column_id="id", column_sort="time")
    assert (source.format, source.files[0].rows) == ("csv", 3)


def test_a_span_needs_a_column_of_times(folder):
    with pytest.raises(SourceError, match="column_time=None is not allowed"):
        files.find_files(str(folder), ("id", None, None, None), None, (0, 1))


def test_footers_are_read_once_for_all_intervals(folder, monkeypatch):
    frame = FRAME.assign(time=pd.Timestamp("2026-11-18") + pd.to_timedelta(FRAME["time"], "h"))
    for path in (folder / "b.parquet", folder / "deep" / "a.pq"):
        frame.to_parquet(path)
    read = []

    def counted(file, name, size, reading):
        read.append(name.removeprefix(f"{folder}/"))
        return PARQUET.describe(file, name, size, reading)

    monkeypatch.setattr(files, "FORMATS", {"parquet": replace(PARQUET, describe=counted)})
    roles, hour = ("id", "time", None, None), 3_600 * 10**9
    start = pd.Timestamp("2026-11-18", tz="UTC").value
    spans = [(start + one * hour, start + (one + 1) * hour) for one in range(5)]
    found = [files.find_files(str(folder), roles, None, span) for span in spans]
    assert sorted(read) == ["b.parquet", "deep/a.pq"]
    assert [len(source.files) for source in found] == [0, 2, 2, 0, 0]
    frame[:1].to_parquet(folder / "b.parquet")
    assert len(files.find_files(str(folder), roles, None, spans[2]).files) == 1
    assert read[2:] == ["b.parquet"]
