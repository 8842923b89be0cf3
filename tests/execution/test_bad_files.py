"""Files and sinks that cannot be used: what is said, and that nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from deltalake import write_deltalake

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import (
    ArgumentError,
    ResourceError,
    SinkError,
    SourceChangedError,
    SourceError,
)
from tidemill.execution.chunk import run_chunk
from tidemill.execution.job import Job
from tidemill.execution.reduce import reduce
from tidemill.execution.steps import choose_chunks, partition
from tidemill.planning.request import make_request

from ..support.series import ROLES, Watch, extract, visible, wide, write

GOOD = wide()
SINKS = ["matrix", "matrix.parquet", "matrix.csv"]


@pytest.fixture(params=SINKS)
def earlier(request, tmp_path) -> Watch:
    """A sink with an earlier result, of every form."""
    sink = tmp_path / "out" / request.param
    sink.parent.mkdir()
    extract(write(wide(seed=1), tmp_path / "earlier.parquet"), sink)
    return Watch.on(sink)


# Unreadable files


def cut_short(data: bytes) -> bytes:
    return data[:-100]


def without_content(data: bytes) -> bytes:
    return b""


def no_parquet(data: bytes) -> bytes:
    return b"id,time,x\n" * 50


def damaged_inside(data: bytes) -> bytes:
    return data[:20] + bytes(byte ^ 255 for byte in data[20:400]) + data[400:]


@pytest.mark.parametrize("damage", [cut_short, without_content, no_parquet, damaged_inside])
def test_a_damaged_file_is_named(damage, earlier, tmp_path):
    write(GOOD, tmp_path / "in" / "a.parquet")
    bad = write(GOOD.assign(id=GOOD["id"] + 100), tmp_path / "in" / "b.parquet")
    bad.write_bytes(damage(bad.read_bytes()))
    text = r"b\.parquet cannot be read .*damaged or incomplete: write it again, or remove it"
    with pytest.raises(SourceError, match=text):
        extract(tmp_path / "in", earlier.sink)
    earlier.assert_unharmed()


def nothing(folder: Path) -> Path:
    return folder / "absent"


def empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def empty_glob(folder: Path) -> Path:
    write(GOOD, folder / "in" / "a.parquet")
    return folder / "in" / "*.csv"


def other_format(folder: Path) -> Path:
    (folder / "a.xlsx").write_text("no table")
    return folder / "a.xlsx"


def empty_list(folder: Path) -> list[Path]:
    return []


def mixed_formats(folder: Path) -> Path:
    write(GOOD, folder / "in" / "a.parquet")
    GOOD.to_csv(folder / "in" / "b.csv", index=False)
    return folder / "in"


def other_columns(folder: Path) -> Path:
    write(GOOD, folder / "in" / "a.parquet")
    write(GOOD.drop(columns="time"), folder / "in" / "b.parquet")
    return folder / "in"


def other_type(folder: Path) -> Path:
    write(GOOD, folder / "in" / "a.parquet")
    write(GOOD.assign(y="b"), folder / "in" / "b.parquet")
    return folder / "in"


def csv(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "in").mkdir()
        GOOD.to_csv(folder / "in" / "a.csv", index=False)
        (folder / "in" / "b.csv").write_text(text)
        return folder / "in"

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (nothing, r"no input files at .*absent'.*\.parquet, \.pq, \.csv"),
        (empty_folder, "no input files at .*empty'"),
        (empty_glob, r"no input files at .*\*\.csv'"),
        (other_format, r"cannot read .*a\.xlsx': input files end in \.parquet"),
        (empty_list, "empty list; name at least one"),
        (mixed_formats, "mixes formats .* give files of one format"),
        (other_columns, r"b\.parquet has no column 'time', which other files have"),
        (other_type, r"b\.parquet: column 'y' has type string, but values must be numbers"),
        (csv("id,time,x,y\n7,0,oops,1\n"), r"b\.csv: column 'x', row 1: 'oops' is not a number"),
        (csv("id,x,y\n7,0,1\n"), r"b\.csv has no column 'time', which other files have"),
        (csv("id,time,x,y\n7,0\n"), r"b\.csv, row 1: 2 fields instead of 4: '7,0'"),
        (csv(""), r"b\.csv is empty"),
    ],
)
def test_an_input_that_is_none(make, says, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(SourceError, match=says):
        extract(make(tmp_path), tmp_path / "out" / "matrix")
    assert not list((tmp_path / "out").iterdir())


# An input that changes while it is read


@pytest.fixture
def intruder(own_calculators):
    """Register a calculator that does something in the middle of the work."""

    def plan(act: Callable[[], object]) -> dict[str, None]:
        @calculator(version="1")
        def intruding(values):
            act()
            return 0.0

        return {"intruding": None}

    return plan


def rewrite(path: Path) -> None:
    write(GOOD.assign(x=GOOD["x"] + 1), path)


def mend_in_place(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("change", [rewrite, mend_in_place, Path.unlink])
def test_an_input_that_changes_in_mid_run(change, earlier, tmp_path, intruder):
    path = write(GOOD, tmp_path / "in" / "a.parquet")
    write(GOOD.assign(id=GOOD["id"] + 100), tmp_path / "in" / "b.parquet")
    done = []

    def act() -> None:
        if not done:
            done.append(change(path))

    with pytest.raises(
        SourceChangedError, match=r"a\.parquet.*start a new run, which makes a new plan"
    ):
        extract(tmp_path / "in", earlier.sink, intruder(act))
    assert done, "the input was changed"
    assert_unpublished(earlier)


def test_an_input_that_is_only_touched_is_the_same(tmp_path, intruder):
    path = write(GOOD, tmp_path / "a.parquet")
    summary = extract(path, tmp_path / "matrix", intruder(path.touch))
    assert summary.rows == 6


def test_an_input_that_changes_between_the_steps(earlier, tmp_path):
    """The steps of a job one by one; the change comes last, before reduce."""
    path = write(GOOD.sort_values("time"), tmp_path / "a.parquet", rows=6)
    request = make_request(path, earlier.sink, settings="minimal", **ROLES)
    with Job.open(request) as job:
        chunks = choose_chunks(job.run, 1)["chunks"]
        partition(job.run, lambda function, items: [function(item) for item in items])
        for chunk in chunks:
            run_chunk(job.run, chunk)
        rewrite(path)
        facts = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}
        with pytest.raises(SourceChangedError, match="start a new run"):
            reduce(job.run, facts)
    assert_unpublished(earlier)
    assert extract(path, earlier.sink).rows == 6, "the next run plans anew"


def assert_unpublished(earlier: Watch) -> None:
    """Finished parts may lie in the folder of a table; nobody sees them."""
    now = visible(earlier.sink.parent)
    assert now.items() >= earlier.files.items()
    more = set(now) - set(earlier.files)
    assert all(Path(name).name.startswith("part-") for name in more)
    pd.testing.assert_frame_equal(tidemill.read_matrix(earlier.sink), earlier.matrix)


# A sink that holds something else


def holds_notes(out: Path) -> Path:
    (out / "matrix").mkdir()
    (out / "matrix" / "notes.txt").write_text("mine")
    return out / "matrix"


def is_a_file(out: Path) -> Path:
    (out / "matrix").write_text("mine")
    return out / "matrix"


def lies_below_a_file(out: Path) -> Path:
    (out / "notes").write_text("mine")
    return out / "notes" / "matrix.parquet"


def is_a_folder(out: Path) -> Path:
    (out / "matrix.csv").mkdir()
    (out / "matrix.csv" / "notes.txt").write_text("mine")
    return out / "matrix.csv"


def is_another_table(out: Path) -> Path:
    write_deltalake(out / "matrix", pd.DataFrame({"mine": [1]}))
    return out / "matrix"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (holds_notes, r"holds something else \(notes\.txt\); choose an empty or a new folder"),
        (is_a_file, "needs a folder, but .*matrix is a file; choose another name"),
        (lies_below_a_file, "needs a folder, but .*notes is a file"),
        (is_a_folder, "is a folder, but its name asks for a single csv file"),
        (is_another_table, r"Delta table that tidemill did not make \(columns mine\); choose"),
    ],
)
def test_a_sink_that_holds_something_else(make, says, tmp_path, command):
    source = write(GOOD, tmp_path / "a.parquet")
    out = tmp_path / "out"
    out.mkdir()
    sink = make(out)
    before = visible(out)
    with pytest.raises(SinkError, match=says):
        extract(source, sink)
    code, said = command("extract", source, sink, "--cluster=none", "--column-id=id")
    assert (code, said.startswith("SinkError: ")) == (1, True)
    assert visible(out) == before


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_of_somebody_else_is_not_replaced(suffix, tmp_path):
    sink = tmp_path / f"measurements.{suffix}"
    sink.write_text("mine")
    with pytest.raises(SinkError, match="tidemill did not write"):
        extract(write(GOOD, tmp_path / "in" / "a.parquet"), sink)
    assert sink.read_text() == "mine"


@pytest.mark.parametrize(
    ("source", "sink", "says"),
    [
        ("in", "in", "is the input itself"),
        ("in/a.parquet", "in/a.parquet", "is the input itself"),
        ("in", "in/out", "lies inside the input"),
        ("in", "in/b.parquet", "lies inside the input"),
        ("in/a.parquet", "in", "lies inside the sink|holds something else"),
        ("in/*.parquet", "in/b.parquet", "is matched by the input"),
        ("in/*.parquet", "in/a.parquet", "is matched by the input"),
        ("**/*.parquet", "out", "is matched by the input"),
        ("**", "out", "is matched by the input"),
    ],
)
def test_a_sink_in_the_input(source, sink, says, tmp_path):
    write(GOOD, tmp_path / "in" / "a.parquet")
    before = visible(tmp_path)
    with pytest.raises(SinkError, match=says):
        extract(str(tmp_path / source), tmp_path / sink)
    assert visible(tmp_path) == before


@pytest.mark.parametrize("source", ["in/*.parquet", "in/[ab].parquet", "*/a.parquet"])
def test_a_sink_beside_what_a_glob_matches(source, tmp_path):
    write(GOOD, tmp_path / "in" / "a.parquet")
    for _ in range(2):
        assert extract(str(tmp_path / source), tmp_path / "in" / "matrix").rows == 6


@pytest.mark.parametrize(
    ("sink", "error", "says"),
    [
        ("/", SinkError, "no name of its own; give a folder or a file"),
        ("s3://bucket", SinkError, "no name of its own"),
        ("ftp://127.0.0.1/x", ArgumentError, "starts with one of s3://"),
        (
            "s3://key:hush@bucket/x",
            ArgumentError,
            "carries credentials; name environment",
        ),
        ("", ArgumentError, "sink='' is not allowed"),
    ],
)
def test_a_sink_that_is_no_place(sink, error, says, tmp_path):
    with pytest.raises(error, match=says) as caught:
        extract(write(GOOD, tmp_path / "a.parquet"), sink)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("literal", ["wJalrXUtnFEMI/K7MDENG", "AKIAIOSFODNN7EXAMPLE", "hush-hush"])
def test_a_literal_secret_is_refused_and_not_repeated(literal, tmp_path, command):
    source = write(GOOD, tmp_path / "a.parquet")
    options = {"aws_secret_access_key": literal}
    with pytest.raises(ArgumentError, match="name of an environment variable") as caught:
        extract(source, tmp_path / "out" / "matrix", storage_options=options, **ROLES)
    code, said = command(
        "extract", source, tmp_path / "out" / "matrix", "--column-id=id", "--cluster=none",
        f"--storage-option=aws_secret_access_key={literal}",
    )  # fmt: skip
    assert code == 1
    assert "aws_secret_access_key" in said
    assert literal not in said + str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("TEST_NOT_SET", raising=False)
    with pytest.raises(
        ArgumentError, match=r"'aws_region'.*'TEST_NOT_SET'.*not set on this machine"
    ):
        extract(
            write(GOOD, tmp_path / "a.parquet"), "s3://bucket/matrix", **ROLES,
            storage_options={"aws_region": "TEST_NOT_SET"},
        )  # fmt: skip


# A disk that fills up


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, stderr=-3).returncode:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("name", SINKS)
def test_a_disk_that_is_too_small_is_refused_at_the_door(name, small_disk, tmp_path):
    many = write(wide(30_000, 3), tmp_path / "many.parquet")
    with pytest.raises(ResourceError, match=r"are still to be written.*are free.*a larger disk"):
        extract(many, small_disk / name)
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("order", ["id", "time"])
@pytest.mark.parametrize("name", SINKS)
def test_a_disk_that_fills_up_in_mid_run(name, order, small_disk, tmp_path, intruder):
    sink = small_disk / "out" / name
    source = write(wide(200).sort_values(order, kind="stable"), tmp_path / "a.parquet", rows=500)
    extract(source, sink)
    watch = Watch.on(sink)
    with pytest.raises(ResourceError, match=r"no space left .*are free; make room or choose"):
        extract(source, sink, intruder(lambda: fill(small_disk)))
    watch.assert_unharmed()
    with pytest.raises(ResourceError, match=r"are free"):
        extract(source, sink)
    watch.assert_unharmed()
    (small_disk / "filler").unlink()
    assert extract(source, sink, intruder(lambda: None)).rows == 200


def fill(folder: Path) -> None:
    with (folder / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def test_a_file_that_may_not_grow(tmp_path):
    """Works without the right to mount: the limit of a file's size, in a process of its own."""
    source = write(wide(600, 20), tmp_path / "a.parquet")
    program = textwrap.dedent(
        f"""
        import resource, signal
        from tidemill.errors import ResourceError
        from tidemill.execution.in_process import extract_here
        from tidemill.planning.request import make_request
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        request = make_request({str(source)!r}, {str(tmp_path / "matrix")!r}, settings="minimal",
                               column_id="id", column_sort="time")
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            extract_here(request)
        except (OSError, ResourceError) as error:
            print("stopped:", error)
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout.startswith("stopped: "), ended.stderr
    assert not visible(tmp_path / "matrix")
