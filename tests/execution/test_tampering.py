"""Whatever a run left is damaged before the next one: the matrix is that of a run left alone.

A table with one published day and half of the next: every kind of file in it is cut short,
replaced, emptied or edited, or has one bit flipped.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import tidemill
from tidemill.errors import SinkError
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.execution.plans import load_plan
from tidemill.execution.reduce import reduce
from tidemill.execution.spill import run_spill_task, spill_tasks
from tidemill.planning.request import make_request
from tidemill.storage.delta import open_table
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import committed
from tidemill.storage.record import history

from ..support.daily import DAYS, NAMES, known, look, request, rows, run
from ..support.inputs import make_input
from ..support.jobs import opened

FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}
#: Five ids a day, one part each; a CSV file is spilled.
CUT = {"part_bytes": 24 * 24}


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def noise(data: bytes) -> bytes:
    return bytes((one * 7 + 13) % 256 for one in data)


def flipped(data: bytes) -> bytes:
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def emptied(_data: bytes) -> bytes:
    return b""


#: What lies below the table, and the value of it that is edited.
FILES = {
    "part": ("part-*.parquet", None),
    "marker": ("_tidemill/keys/*/parts/000001-0.json", "rows"),
    "plan": ("_tidemill/keys/*/plan.json", "layout"),
    "coverage of a part": ("_tidemill/keys/*/coverage/000001-*.arrow", None),
    "spill": ("_tidemill/keys/*/work/*/*.arrow", None),
    "marker of a spill": ("_tidemill/keys/*/work/*/*.json", "rows"),
    "interval record": (f"_tidemill/intervals/{NAMES[0]}.json", "fingerprint"),
    "figures": (f"_tidemill/figures/{NAMES[0]}.npz", None),
    "coverage": (f"_tidemill/coverage/{NAMES[0]}.arrow", None),
    "run record": ("_tidemill/records/*.json", "digest"),
    "pointer": ("_tidemill/published.json", "result_key"),
    "lease": ("_tidemill/lease/*.json", "released"),
    "lease of an interval": (f"_tidemill/lease/{NAMES[1]}/*.json", "token"),
    "Delta log": ("_delta_log/*.json", None),
}
ATTACKS = {"truncated": half, "replaced": noise, "flipped": flipped, "emptied": emptied}
#: What the log says about files that are not simply made again.
SAID = {
    "part": "is calculated again: ",
    "coverage of a part": "is calculated again: ",
    "plan": "is damaged",
    "spill": "; it is written again",
    "figures": "npz was damaged",
    "coverage": "arrow was damaged",
    "run record": "is damaged and left out",
}
CASES = [
    *((file, attack) for file in FILES for attack in ATTACKS),
    *((file, "edited") for file, (_, name) in FILES.items() if name),
]


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """A folder with the rows of two days."""
    folder = tmp_path_factory.mktemp("days")
    for day in DAYS[:2]:
        rows(day).to_csv(folder / f"{day}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def left(days, tmp_path_factory):
    """A table with a published day and three of five parts of the next, spilled to the end."""
    table = tmp_path_factory.mktemp("left") / "table"
    run(days, table, DAYS[0], **CUT)
    with Job.open(request(days, table, DAYS[1], **CUT)) as job:
        plan = load_plan(job.run)
        for task in spill_tasks(plan):
            run_spill_task(plan, task, job.run.work_dir)
        run_chunk(job.run, [0, 1, 2])
    return table


@pytest.fixture(scope="module")
def clean(days, tmp_path_factory):
    """The table of runs that nobody disturbed."""
    table = tmp_path_factory.mktemp("clean") / "table"
    for day in DAYS[:2]:
        run(days, table, day, **CUT)
    return table


@pytest.fixture
def table(left, tmp_path):
    """A copy of what was left."""
    return Path(shutil.copytree(left, tmp_path / "table"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A lease that nobody can read is stale after a second."""
    monkeypatch.setattr("tidemill.storage.lease_files.RENEW_SECONDS", 0.2)


def edit(path: Path, name: str) -> None:
    """Change one value, as with an editor."""
    values = json.loads(path.read_bytes())
    old = values[name]
    values[name] = old + 1 if isinstance(old, int) else f"other{old[5:]}"
    path.write_text(json.dumps(values, separators=(",", ":")), "utf-8")


def damage(table: Path, file: str, attack: str) -> None:
    """Damage a file of a kind, without a trace in its times."""
    pattern, name = FILES[file]
    if file == "part":
        (marker,) = table.glob(FILES["marker"][0])
        pattern = json.loads(marker.read_bytes())["path"]
    path = max(table.glob(pattern))
    times = path.stat()
    if name and attack == "edited":
        edit(path, name)
    else:
        path.write_bytes(ATTACKS[attack](path.read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def repeat(days: Path, table: Path) -> None:
    """What a nightly run does: look at both days, calculate what is due."""
    for day in DAYS[:2]:
        if look(days, table, day, **CUT).is_due:
            run(days, table, day, **CUT)


def digests(table: Path) -> list[str]:
    return [one.digest for one in known(table).values()]


@pytest.mark.parametrize(("file", "attack"), CASES)
def test_a_damaged_file_is_found_and_made_again(file, attack, days, table, clean, caplog):
    damage(table, file, attack)
    if file == "Delta log" and not is_readable(table):
        with pytest.raises(SinkError, match="delete that one"):
            repeat(days, table)
        max((table / "_delta_log").glob("*.json")).unlink()
    repeat(days, table)
    history(SinkLayout.of(table))
    if file != "spill" or attack in {"replaced", "flipped"}:  # else it counts as missing
        assert SAID.get(file, "") in caplog.text
    assert tidemill.read_matrix(table).equals(tidemill.read_matrix(clean))
    assert digests(table) == digests(clean)


def is_readable(table: Path) -> bool:
    try:
        open_table(SinkLayout.of(table))
    except SinkError:
        return False
    return True


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_part_that_is_damaged_before_it_is_published_is_made_again(
    attack, days, table, clean, caplog
):
    with Job.open(request(days, table, DAYS[1], **CUT)) as job:
        run_chunk(job.run, range(5))
        damage(table, "part", attack)
        reduce(job.run, FACTS)
    assert SAID["part"] in caplog.text
    assert digests(table) == digests(clean)
    assert tidemill.read_matrix(table).equals(tidemill.read_matrix(clean))


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet", "matrix.csv"])
@pytest.mark.parametrize("attack", ["truncated", "flipped"])
def test_only_damaged_parts_of_a_stopped_run_are_made_again(attack, name, tmp_path):
    series, sink = make_input(tmp_path, n_ids=6), tmp_path / name
    with opened(series, sink) as job:
        run_chunk(job.run, [0, 1, 2])
        path = job.run.key.data.local_path(committed(job.run.key)[1].path)
    path.write_bytes(ATTACKS[attack](path.read_bytes()))
    arguments = {"settings": "minimal", **series.arguments}
    again, clean = (
        extract_here(make_request(sink=one, **arguments), threads=1)
        for one in (sink, tmp_path / f"clean-{name}")
    )
    assert (again.parts["reused"], again.parts["calculated"]) == (2, 4)
    assert again.digest == clean.digest


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_published_table_is_whole_after_a_run_with_the_same_arguments(attack, tmp_path):
    series, sink = make_input(tmp_path, n_ids=6), tmp_path / "matrix"
    asked = make_request(sink=sink, **{"settings": "minimal", **series.arguments})
    extract_here(asked, threads=1)
    before = tidemill.read_matrix(sink)
    path = max(sink.glob("*.parquet"))
    path.write_bytes(ATTACKS[attack](path.read_bytes()))
    assert extract_here(asked, threads=1).parts["calculated"] == 1
    assert tidemill.read_matrix(sink).equals(before)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_damaged_plan_ends_a_worker_with_a_sentence(attack, days, table, monkeypatch):
    with Job.open(request(days, table, DAYS[1], **CUT)) as job:
        monkeypatch.setattr("tidemill.execution.plans._loaded", {})  # as in another process
        damage(table, "plan", attack)
        with pytest.raises(SinkError, match=r"plan\.json is damaged .* run again"):
            run_chunk(job.run, [3])


def test_a_csv_file_is_not_read_with_guessed_types_of_ids(tmp_path):
    series, sink = make_input(tmp_path, n_ids=3), tmp_path / "matrix.csv"
    asked = make_request(sink=sink, **{"settings": "minimal", **series.arguments})
    extract_here(asked, threads=1)
    before = tidemill.read_matrix(sink)
    pointer = tmp_path / "_matrix.csv.tidemill" / "published.json"
    edit(pointer, "id_type")
    with pytest.raises(SinkError, match=r"published\.json is damaged, .* tidemill extract again"):
        tidemill.read_matrix(sink)
    extract_here(asked, threads=1)
    assert tidemill.read_matrix(sink).equals(before)
