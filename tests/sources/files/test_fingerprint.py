"""An input file that changes while it is read is never part of a result; a touch is harmless."""

import os
import shutil
from dataclasses import replace

import boto3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import SourceChangedError, SourceError
from tidemill.execution import spill as partition
from tidemill.execution.spill import run_spill_task
from tidemill.model.plan import GroupSpan, Plan
from tidemill.model.policies import Policies
from tidemill.planning.parts import make_parts
from tidemill.sources.files import access
from tidemill.sources.files import fingerprint as identity
from tidemill.sources.files import open as files
from tidemill.sources.files.open import check_part_unchanged, check_unchanged, open_source
from tidemill.sources.files.read import read_part, read_span
from tidemill.sources.files.statistics import gather_statistics

N_FILES, N_ROWS = 3, 200


def write(path, first_id=0, seed=0):
    """A file whose size does not depend on its values; a second one is written later."""
    values = np.random.default_rng(seed).normal(size=N_ROWS)
    ids = first_id + np.repeat(np.arange(N_ROWS // 20), 20)
    table = pa.table({"id": ids, "time": np.arange(N_ROWS), "x": values})
    options = {"use_dictionary": False, "compression": "none", "row_group_size": 100}
    before = path.stat().st_mtime_ns if path.exists() else 0
    pq.write_table(table, path, **options)
    if path.stat().st_mtime_ns == before:  # a clock with coarse ticks
        os.utime(path, ns=(before + 1, before + 1))


def plan_of(folder, layout):
    folder.mkdir(exist_ok=True)
    for number in range(N_FILES):
        write(folder / f"{number}.parquet", 1000 * number if layout == "clustered" else 0)
    source = open_source(folder, column_id="id", column_sort="time")
    found = gather_statistics(source)
    layout_, parts = make_parts(source, found, lambda *_: 0.0, part_bytes=24 * N_ROWS)
    assert layout_ == layout
    assert len(parts) >= N_FILES
    return Plan("key", source, {}, Policies(on_duplicate="first"), layout, parts, (), {})


@pytest.fixture(params=[2**31, 0], ids=["by content", "by version"])
def digest_bytes(request, monkeypatch):
    monkeypatch.setattr(files, "DIGEST_BYTES", request.param)
    return request.param


def test_a_rewrite_of_the_same_size_is_refused_where_the_file_is_opened(tmp_path, digest_bytes):
    plan = plan_of(tmp_path / "in", "clustered")
    write(tmp_path / "in/1.parquet", 1000, seed=9)
    assert (tmp_path / "in/1.parquet").stat().st_size == plan.source.files[1].size
    assert len(list(read_part(plan, plan.parts[0], needs_times=False))) == 1
    with pytest.raises(SourceChangedError, match=r"in/1\.parquet was rewritten after the run"):
        list(read_part(plan, plan.parts[1], needs_times=False))


def test_a_rewrite_of_csv_of_the_same_size_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,0.5\n1,0.6\n")
    source = open_source(tmp_path, column_id="id")
    (tmp_path / "a.csv").write_text("id,x\n1,0.5\n1,0.7\n")
    os.utime(tmp_path / "a.csv", (1, 1))
    with pytest.raises(SourceChangedError, match=r"a\.csv was rewritten"):
        list(read_span(source, GroupSpan(0, 0, 1), ["id", "x"]))


def test_a_part_whose_file_changes_while_it_is_read_is_not_committed(tmp_path, digest_bytes):
    plan = plan_of(tmp_path / "in", "clustered")
    batches = read_part(plan, plan.parts[1], needs_times=False)
    next(batches)
    check_part_unchanged(plan.source, plan.parts[1])
    write(tmp_path / "in/1.parquet", 1000, seed=9)
    with pytest.raises(SourceChangedError, match=r"1 of 3 input files .*\(1\.parquet\)"):
        check_part_unchanged(plan.source, plan.parts[1])
    check_part_unchanged(plan.source, plan.parts[0])
    with pytest.raises(SourceChangedError, match=r"1\.parquet"):
        check_unchanged(plan.source)


def test_a_file_that_goes_while_its_part_is_read(tmp_path):
    plan = plan_of(tmp_path / "in", "clustered")
    (tmp_path / "in/2.parquet").unlink()
    with pytest.raises(SourceChangedError, match=r"\(2\.parquet\)"):
        check_part_unchanged(plan.source, plan.parts[2])


def test_a_map_task_whose_file_changes_while_it_is_read_leaves_nothing(
    tmp_path, monkeypatch, digest_bytes
):
    plan = plan_of(tmp_path / "in", "spilled")
    write_round = partition._Dealer.write

    def change_the_file_first(*arguments):
        write(tmp_path / "in/0.parquet", seed=9)
        write_round(*arguments)

    monkeypatch.setattr(partition._Dealer, "write", change_the_file_first)
    with pytest.raises(SourceChangedError, match=r"0\.parquet"):
        run_spill_task(plan, 0, str(tmp_path / "spill"))
    assert [path for path in (tmp_path / "spill").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("layout", ["clustered", "spilled"])
def test_a_touch_is_harmless_and_costs_one_reading(tmp_path, monkeypatch, layout):
    plan = plan_of(tmp_path / "in", layout)
    hashed = []
    digest = identity.content_digest
    monkeypatch.setattr(
        identity, "content_digest", lambda path: hashed.append(path.name) or digest(path)
    )
    os.utime(tmp_path / "in/1.parquet", (1, 1))
    if layout == "spilled":
        run_spill_task(plan, 0, str(tmp_path / "spill"))
    for part in plan.parts:
        assert list(read_part(plan, part, str(tmp_path / "spill"), needs_times=False))
        check_part_unchanged(plan.source, part)
    check_unchanged(plan.source)
    assert hashed == ["1.parquet"]
    os.utime(tmp_path / "in/1.parquet", (2, 2))
    check_unchanged(plan.source)
    assert hashed == ["1.parquet"] * 2


def test_many_files_are_looked_at_in_threads(tmp_path):
    for number in range(30):
        write(tmp_path / f"{number:02d}.parquet", number)
    source = open_source(tmp_path, column_id="id", column_sort="time")
    check_unchanged(source)
    for number in (7, 23):
        write(tmp_path / f"{number:02d}.parquet", number, seed=9)
    with pytest.raises(SourceChangedError, match=r"2 of 30 .*\(07\.parquet, 23\.parquet\)"):
        check_unchanged(source)


def test_an_object_of_the_same_size_that_was_written_again(tmp_path, s3):
    prefix, options, _ = s3
    bucket, _, folder = prefix.removeprefix("s3://").partition("/")
    client = boto3.client(
        "s3",
        endpoint_url=os.environ[options["aws_endpoint_url"]],
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key=os.environ[options["aws_secret_access_key"]],
    )
    for seed in (0, 9):
        write(tmp_path / "a.parquet", seed=seed)
        client.put_object(
            Bucket=bucket, Key=f"{folder}/a.parquet", Body=(tmp_path / "a.parquet").read_bytes()
        )
        if seed == 0:
            source = open_source(prefix, column_id="id", storage_options=options)
            assert (
                sum(batch.num_rows for batch in read_span(source, GroupSpan(0, 0, 2), ["id"]))
                == 200
            )
    with pytest.raises(SourceChangedError, match=r"a\.parquet was rewritten"):
        list(read_span(source, GroupSpan(0, 0, 1), ["id"]))
    with pytest.raises(SourceChangedError, match=r"a\.parquet"):
        check_unchanged(source, {0})
    client.close()


# Rows in, counted


def read_rows(plan, spill_dir=None):
    return sum(
        batch.input_rows
        for part in plan.parts
        for batch in read_part(plan, part, spill_dir, needs_times=False)
    )


@pytest.mark.parametrize("kind", [None, "kind"])
@pytest.mark.parametrize("on_nan", ["omit", "quarantine"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_row_is_counted_by_one_part_before_policies_drop_it(tmp_path, shuffled, on_nan, kind):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.sort(rng.integers(0, 30, 3000)), "time": np.arange(3000) // 2})
    frame["x"] = np.where(rng.random(3000) < 0.05, np.nan, 1.0)
    if kind is not None:
        frame[kind] = rng.choice(["a", "b"], 3000)
    frame = frame.sample(frac=1, random_state=1) if shuffled else frame
    (tmp_path / "in").mkdir()
    frame.to_parquet(tmp_path / "in/a.parquet", row_group_size=70)
    source = open_source(tmp_path / "in", column_id="id", column_sort="time", column_kind=kind)
    found = gather_statistics(source)
    layout, parts = make_parts(source, found, lambda *_: 0.0, part_bytes=5000)
    assert (layout, len(parts) > 5) == ("spilled" if shuffled else "clustered", True)
    policies = Policies(on_nan=on_nan, on_duplicate="first")
    plan = Plan("key", source, {}, policies, layout, parts, (), {})
    for task in partition.spill_tasks(plan):
        run_spill_task(plan, task, str(tmp_path / "spill"))
    assert read_rows(plan, str(tmp_path / "spill")) == source.rows == 3000


def test_wrong_statistics_in_a_footer_show_in_the_rows(tmp_path):
    ids = np.repeat([1000, 2000, 7_777_777, 3000, 4000], [20, 10, 10, 20, 20])
    table = pa.table({"id": ids, "x": np.ones(len(ids))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20)
    data = (tmp_path / "a.parquet").read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    high, low = ((n).to_bytes(8, "little") for n in (7_777_777, 2001))
    wrong = data[footer:].replace(high, low)
    assert wrong != data[footer:]
    (tmp_path / "a.parquet").write_bytes(data[:footer] + wrong)
    source = open_source(tmp_path, column_id="id")
    layout, parts = make_parts(
        source, gather_statistics(source), lambda *_: 0.0, part_bytes=20 * 16
    )
    assert (layout, len(parts)) == ("clustered", 4)
    plan = Plan("key", source, {}, Policies(), layout, parts, (), {})
    assert (read_rows(plan), source.rows) == (70, 80)


def test_a_row_group_that_gives_other_rows_than_its_footer_says(tmp_path):
    batches = [pa.record_batch({"x": [1, 2]}), pa.record_batch({"x": [3]})]
    assert list(access.check_row_count(iter(batches), 3, "a.parquet")) == batches
    with pytest.raises(SourceError, match=r"a\.parquet gave 3 rows instead of 4"):
        list(access.check_row_count(iter(batches), 4, "a.parquet"))


def replaced(path, seed):
    """Another file in the place of one, with the size and the times of that."""
    before = path.stat()
    write(path.with_suffix(".new"), 1000, seed)
    os.utime(path.with_suffix(".new"), ns=(before.st_atime_ns, before.st_mtime_ns))
    path.with_suffix(".new").rename(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def overwritten(path, seed):
    """Other values in the same file, with its size and times."""
    before = path.stat()
    write(path, 1000, seed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


@pytest.mark.parametrize("change", [replaced, overwritten])
def test_another_file_with_the_same_size_and_times_is_refused(tmp_path, digest_bytes, change):
    plan = plan_of(tmp_path / "in", "clustered")
    change(tmp_path / "in/1.parquet", seed=9)
    with pytest.raises(SourceChangedError, match=r"in/1\.parquet was rewritten after the run"):
        list(read_part(plan, plan.parts[1], needs_times=False))
    with pytest.raises(SourceChangedError, match=r"1 of 3 input files .*\(1\.parquet\)"):
        check_unchanged(plan.source)


def test_new_permissions_and_links_of_a_file_whose_content_is_known_are_harmless(tmp_path):
    plan = plan_of(tmp_path / "in", "clustered")
    (tmp_path / "in/1.parquet").chmod(0o600)
    (tmp_path / "link").hardlink_to(tmp_path / "in/2.parquet")
    check_unchanged(plan.source)


def test_a_copy_with_its_times_is_the_same_input(tmp_path, digest_bytes):
    first = plan_of(tmp_path / "in", "clustered").source
    shutil.copytree(tmp_path / "in", tmp_path / "copy")  # as cp -a and rsync -a do
    copy = open_source(tmp_path / "copy", column_id="id", column_sort="time")
    assert copy.fingerprint == first.fingerprint


def test_the_state_of_another_host_is_not_compared(tmp_path, digest_bytes):
    source = plan_of(tmp_path / "in", "clustered").source
    elsewhere = [replace(file, state="elsewhere/boot/1/1") for file in source.files]
    check_unchanged(replace(source, files=tuple(elsewhere)))
