"""What version 0.1.0 left on disk is read by this one, which goes on with equal results.

The fixtures and how they were made: ``tests/fixtures/make_fixtures.py``. Only public doors are
used, so that these tests hold however the package is built inside. They copy the fixtures into
another folder than that of the runs, whose address identifies nothing, and give the inputs their
modification times, which git does not keep and which do.

The number of the results was raised since: killed runs are not finished but started over, by
another result key. The values of the fixtures are the same.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from os import utime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

import tidemill
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval

from ..fixtures.make_fixtures import (
    FIXTURES,
    HOST,
    arrays_digest,
    digests,
    frame_digest,
    matrix_facts,
    records,
    sha256,
)
from ..support.made_by_0_1_0 import EXPECTED, TABLE, copied

INTERVAL = EXPECTED["half_finished_interval"]
EXTRACT, BUNDLED = EXPECTED["half_finished_extract"], EXPECTED["bundled"]
FUNCTIONS = EXPECTED["functions"]
PRESETS = ("minimal", "efficient", "comprehensive")
DAYS = [f"2025111{digit}T000000Z" for digit in "6789"]
SPAN = {"start": "2025-11-16", "end": "2025-11-19"}
LAST = {"interval_start": "2025-11-18", "lookback": 2}
COMMAND = Path(sys.executable).with_name("tidemill")

pytestmark = pytest.mark.usefixtures("prefect_server")


def rewrite_owners(folder: Path, **changes: object) -> None:
    """Change what leases and attempt marks say; keys of ``process`` go by ``process_<key>``."""
    for path in [*folder.rglob("lease/**/*.json"), *folder.rglob("attempts/*.json")]:
        said = json.loads(path.read_text())
        assert said["process"]["host"] == HOST
        for name, value in changes.items():
            part = said["process"] if name.startswith("process_") else said
            key = name.removeprefix("process_")
            part.update({key: value} if key in part else {})
        path.write_text(json.dumps(said))


def part_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Modification time and content of the files that hold rows."""
    return {
        path.name: (path.stat().st_mtime_ns, sha256(path.read_bytes()))
        for path in folder.glob("part-*.parquet")
    }


def leftovers(folder: Path) -> list[Path]:
    """Attempt marks, spill and unfinished files."""
    return [*folder.rglob("attempts/*"), *folder.rglob("work/*/*"), *folder.rglob(".*")]


def assert_matrix(sink: Path, expected) -> None:
    """Labels and values are as recorded, to the last bit."""
    names = ("index", "ids", "columns", "values")
    assert matrix_facts(tidemill.read_matrix(sink)) == {name: expected[name] for name in names}


def states(report) -> list[str]:
    return [finding["state"] for finding in report["findings"]]


def tidemill_command(*arguments: object):
    """What the command prints as JSON."""
    ran = subprocess.run(
        [COMMAND, *map(str, arguments), "--json"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="session")
def this_host(tmp_path_factory, prefect_server) -> str:
    """The name of this host, as a lease has it."""
    sink = tmp_path_factory.mktemp("host") / "matrix"
    extract(str(FIXTURES / "frame.parquet"), str(sink), "id", "time", settings="minimal",
            cluster="none")  # fmt: skip
    lease = next(sink.glob("_tidemill/lease/*.json"))
    return json.loads(lease.read_text())["process"]["host"]


# The table


@pytest.fixture
def table(tmp_path) -> Path:
    return copied("table", tmp_path)


@pytest.fixture
def sides(table) -> dict[str, str]:
    """Input and table, as arguments of the flows."""
    return {"source": str(table / "input"), "sink": str(table / "matrix")}


def test_the_table_is_read(table):
    assert_matrix(table / "matrix", TABLE)
    rows = tidemill.read_matrix(table / "matrix", DAYS[1])
    assert rows.index.tolist() == [(*ids,) for day, *ids in TABLE["ids"] if day == DAYS[1]]


def test_the_history_is_read(table):
    told = tidemill_command("inspect", table / "matrix")
    assert {one["interval"]: one["digest"] for one in told} == TABLE["digests"]
    assert {one["interval"]: one["result_key"] for one in told} == TABLE["result_keys"]
    quarantined = [case for one in told for case in one["quarantined"]]
    named = ("id", "kind", "reason")
    assert [{name: case[name] for name in named} for case in quarantined] == TABLE["quarantined"]


@pytest.mark.parametrize(
    ("touched", "reason"),
    [
        (False, "the files that touch its window are the same"),
        (True, "the same rows lie in other files"),
    ],
)
def test_what_did_not_change_is_not_calculated(touched, reason, table, sides):
    if touched:
        for path in table.glob("input/*"):
            utime(path)
    report = extract_interval(**sides, **TABLE["arguments"], **LAST)
    assert [(one["state"], one["reason"]) for one in report["findings"]] == [
        ("unchanged", reason)
    ] * 3
    assert report["summaries"] == []


def test_the_next_interval_joins_the_others(table, sides):
    before = part_files(table / "matrix")
    report = backfill(**sides, **TABLE["arguments"], **SPAN | {"end": "2025-11-20"})
    assert [row["result"] for row in report["intervals"]] == ["skipped"] * 3 + ["published"]
    assert {DAYS[3]: report["intervals"][3]["digest"]} == TABLE["next"]
    rows = tidemill.read_matrix(table / "matrix").drop(DAYS[3], level="interval")
    assert matrix_facts(rows)["values"] == TABLE["values"]
    assert before.items() <= part_files(table / "matrix").items()


def test_calculated_again_it_is_the_same_table(table, sides):
    report = backfill(**sides, **TABLE["arguments"], **SPAN, recalculate=True)
    assert {row["interval"]: row["digest"] for row in report["intervals"]} == TABLE["digests"]
    assert_matrix(table / "matrix", TABLE)


def test_a_changed_interval_is_calculated_and_new_features_are_added(table, sides):
    shutil.copy(table / "changed" / "2025-11-17.parquet", table / "input")
    report = extract_interval(**sides, **TABLE["arguments"], **LAST)
    assert states(report) == ["unchanged", "changed", "unchanged"]
    assert digests(report) == TABLE["changed"]
    gained = {"settings": TABLE["settings_appended"], "on_settings_change": "append"}
    report = extract_interval(**sides, **TABLE["arguments"] | gained, **LAST)
    assert states(report) == ["extended"] * 3
    assert digests(report) == TABLE["appended"]
    assert all("2 new columns were calculated" in one["note"] for one in report["summaries"])


# Half-finished runs


def assert_finished(name: str, folder: Path, summary) -> None:
    expected = EXTRACT[name]
    sink = folder / expected["sink"]
    total = expected["parts"]
    assert summary["parts"] == {
        "total": total, "calculated": total, "reused": 0, "quarantined": 0
    }  # fmt: skip
    assert summary["digest"] == expected["digest"]
    assert records(sink)[-1]["result_key"] != expected["result_key"]
    assert_matrix(sink, expected)
    assert leftovers(folder) == []


def test_a_killed_extraction_is_started_over(tmp_path, this_host):
    """Its process was one of this host, and is seen to be dead."""
    folder = copied("half_finished_extract/clustered", tmp_path)
    rewrite_owners(folder, process_host=this_host, process_started=0.0)
    sink, done = folder / "matrix", part_files(folder / "matrix")
    assert len(done) == EXTRACT["clustered"]["committed"] == 3
    summary = extract(str(folder / "input.parquet"), str(sink), **EXTRACT["clustered"]["arguments"])
    assert_finished("clustered", folder, summary)
    shown = {Path(uri).name for uri in DeltaTable(sink).file_uris()}
    assert len(shown) == 8
    assert shown.isdisjoint(done)


def test_a_killed_extraction_of_another_host_is_started_over(tmp_path):
    """Its rows were spilled. Nobody renews its lease: a minute's wait, which is shortened here."""
    folder = copied("half_finished_extract/spilled", tmp_path)
    rewrite_owners(folder, renew_seconds=0.1)
    arguments = EXTRACT["spilled"]["arguments"]
    summary = extract(str(folder / "input.csv"), str(folder / "matrix.parquet"), **arguments)
    assert_finished("spilled", folder, summary)


def test_an_extraction_that_was_killed_while_it_spilled_is_started_over(tmp_path, this_host):
    folder = copied("half_finished_extract/spilling", tmp_path)
    rewrite_owners(folder, process_host=this_host, process_started=0.0)
    assert leftovers(folder)
    options = {
        name.replace("_", "-"): json.dumps(value) if isinstance(value, dict) else value
        for name, value in EXTRACT["spilling"]["arguments"].items()
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    summary = tidemill_command("extract", folder / "input.csv", folder / "matrix", *given)
    assert_finished("spilling", folder, summary)


def test_a_killed_run_of_intervals_is_started_over(tmp_path, this_host):
    folder = copied("half_finished_interval", tmp_path)
    rewrite_owners(folder, process_host=this_host, process_started=0.0)
    source, sink = folder / "input", folder / "matrix"
    before = part_files(sink)
    report = extract_interval(str(source), str(sink), **INTERVAL["arguments"])
    assert states(report) == ["unchanged", "missing", "missing"]
    made = {one["interval"]: one for one in records(sink)}
    parts = {day: (one["parts"]["calculated"], one["parts"]["reused"]) for day, one in made.items()}
    assert parts == dict.fromkeys(DAYS[:3], (4, 0))
    assert {day: one["digest"] for day, one in made.items()} == INTERVAL["digests"]
    assert_matrix(sink, INTERVAL)
    assert before.items() <= part_files(sink).items()
    assert not [*folder.rglob("attempts/*")]


# Values


def is_same_environment(record) -> bool:
    """Whether processor and packages are those with which the fixtures were made."""
    packages = ("numpy", "scipy", "numba")
    versions = {name: EXPECTED["environment"]["versions"][name] for name in packages}
    return (
        record["cpu_features"] == EXPECTED["environment"]["cpu_features"]
        and {name: record["versions"][name] for name in packages} == versions
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_give_the_same_values(preset, tmp_path):
    """Bits of the larger presets depend on the processor; values agree to nine digits."""
    sink, expected = tmp_path / "matrix", BUNDLED[preset]
    summary = extract(**BUNDLED["arguments"], sink=str(sink), settings=preset)
    matrix, record = tidemill.read_matrix(sink), records(sink)[-1]
    assert matrix.shape == (expected["rows"], expected["columns"])
    assert sha256("\n".join(matrix.columns).encode()) == expected["sha256_of_columns"]
    if preset == "comprehensive":
        stored = np.load(FIXTURES / "bundled.npy")
        found = matrix.to_numpy()[:: EXPECTED["every"]]
        np.testing.assert_allclose(found, stored, rtol=1e-9, atol=1e-12)
    if preset == "minimal" or is_same_environment(record):
        assert summary["digest"] == expected["digest"]


@pytest.mark.parametrize("name", ["steady", "minimal", "all"])
def test_functions_return_the_same_bits(name, tmp_path):
    frame = pd.read_parquet(FIXTURES / "frame.parquet")
    settings = {"steady": FUNCTIONS["steady"], "minimal": "minimal", "all": "comprehensive"}[name]
    if name == "all":
        extract(str(FIXTURES / "frame.parquet"), str(tmp_path / "matrix"), "id", "time",
                settings="minimal", cluster="none")  # fmt: skip
        if not is_same_environment(records(tmp_path / "matrix")[-1]):
            pytest.skip("stored with other packages or on another kind of processor")
    roles = {"column_id": "id", "column_sort": "time", "disable_progressbar": True}
    features = tidemill.extract_features(frame, settings, **roles)
    rolled = tidemill.extract_rolling(frame, settings, window="24h", step="12h", **roles)
    assert FUNCTIONS[f"digests_{name}"] == {
        "extract_features": frame_digest(features),
        "extract_rolling": frame_digest(rolled),
        "extract_arrays": arrays_digest(frame, settings),
    }
