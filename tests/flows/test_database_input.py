"""Tables of a real PostgreSQL server, through the command and the flows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client

import tidemill
from tidemill.errors import SourceError
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval

from ..support import programs
from ..support.postgres import PASSWORD, server
from ..support.sinks import assert_nothing_left, committed_parts, records
from ..support.waiting import until

DAYS = ("2026-11-17", "2026-11-18", "2026-11-19")
NAMES = tuple(f"{day.replace('-', '')}T000000Z" for day in DAYS)
IDS, HOURS = 6, 72
OPTIONS = {"password": "PLANT_PASSWORD"}
ROLES = {"column_id": "id", "settings": "minimal", "storage_options": OPTIONS, "cluster": "none"}
COLUMNS = ["--column-id=id", "--column-sort=time", "--storage-option=password=PLANT_PASSWORD"]
SELECT = "SELECT id, time, x FROM sensors"


def frame():
    """Hourly rows of three days; the first value of a series is its id."""
    times = pd.date_range(DAYS[0], periods=HOURS, freq="1h", tz="UTC")
    made = pd.DataFrame({"id": np.repeat(np.arange(IDS), HOURS), "time": [*times] * IDS})
    made["x"] = np.random.default_rng(7).normal(size=len(made))
    made.loc[::HOURS, "x"] = np.arange(IDS, dtype=float)
    return made


def inserts(rows):
    texts = (f"({row.id}, '{row.time.isoformat()}', {row.x!r})" for row in rows.itertuples())
    return f"INSERT INTO sensors VALUES {', '.join(texts)}"  # noqa: S608


@pytest.fixture(scope="module")
def started():
    with server() as running:
        yield running


@pytest.fixture
def database(started, monkeypatch):
    """A server whose table holds the rows of the three days."""
    monkeypatch.setenv("PLANT_PASSWORD", PASSWORD)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    started.run(
        "DROP TABLE IF EXISTS sensors",
        "CREATE TABLE sensors (id bigint, time timestamptz, x float8)",
        inserts(frame()),
    )
    return started


def expected(rows):
    return tidemill.extract_features(rows, "minimal", column_id="id", column_sort="time")


def assert_no_secret_in_files(sink):
    for path in (path for path in sink.rglob("*") if path.is_file()):
        assert PASSWORD.encode() not in path.read_bytes(), path


def assert_no_secret(sink):
    """The password is in no file of the sink, and in no parameter, state or log of Prefect."""
    assert_no_secret_in_files(sink)
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()
        assert runs
        told = [str(run.parameters) + str(run.state) for run in runs]
        told += [log.message for log in client.read_logs()]
    assert not [text for text in told if PASSWORD in text]


@pytest.mark.parametrize("choice", [["--table=sensors"], ["--query", SELECT + ";"]])
def test_the_command_makes_the_matrix_of_a_table_or_query(choice, database, sink, command):
    options = [*COLUMNS, "--settings=minimal", "--cluster=none", *choice]
    code, said = command("extract", database.url, sink, *options)
    assert code == 0, said
    found = tidemill.read_matrix(sink)
    pd.testing.assert_frame_equal(found, expected(frame()), check_names=False)
    assert not list(sink.glob("_tidemill/snapshots*"))
    assert PASSWORD not in said
    assert_no_secret_in_files(sink)


@pytest.mark.parametrize("name", ["plan", "costs"])
def test_forecasts_read_the_table_and_leave_nothing(name, database, sink, monkeypatch, capsys):
    from tidemill.cli import main as cli

    options = [*COLUMNS, "--settings=minimal", "--table=sensors"]
    target = [str(sink)] if name == "plan" else []
    monkeypatch.setattr("sys.argv", ["tidemill", name, database.url, *target, *options])
    cli.main()
    out, said = capsys.readouterr()
    assert "mean" in out if name == "costs" else f"{IDS} of {IDS} ids" in out
    assert not sink.exists()
    assert PASSWORD not in out + said


def states(report):
    return [finding["state"] for finding in report["findings"]]


@pytest.mark.usefixtures("server_environment")
def test_late_rows_are_seen_and_only_their_interval_is_made_again(database, sink):
    def run():
        return extract_interval(
            database.url, str(sink), **ROLES, table="sensors", column_time="time", lookback=2,
            retries=0, interval_start=DAYS[2],
        )  # fmt: skip

    assert states(run()) == ["missing"] * 3
    again = run()
    assert (states(again), again["summaries"]) == (["unchanged"] * 3, [])
    late = pd.DataFrame({"id": [4], "time": [pd.Timestamp(f"{DAYS[1]} 05:30Z")], "x": [99.0]})
    database.run(inserts(late))
    healed = run()
    assert states(healed) == ["unchanged", "changed", "unchanged"]
    (summary,) = healed["summaries"]
    assert summary["acceptance"]["changes"]["altered"]["ids"] == ["4"]
    rows = pd.concat([frame(), late])
    for day, name in zip(DAYS, NAMES, strict=True):
        inside = rows[rows["time"].dt.strftime("%Y-%m-%d") == day]
        found = tidemill.read_matrix(sink, name)
        pd.testing.assert_frame_equal(found, expected(inside), check_names=False)
    assert not list(sink.glob("_tidemill/snapshots/*"))
    assert_no_secret(sink)


@pytest.mark.usefixtures("server_environment")
def test_a_backfill_makes_what_is_missing(database, sink):
    def run():
        return backfill(
            database.url, str(sink), **ROLES, query=SELECT, column_time="time", every="1d",
            start=DAYS[0], end="2026-11-20", retries=0,
        )  # fmt: skip

    made, again = run(), run()
    for report, result in ((made, "published"), (again, "skipped")):
        assert [row["result"] for row in report["intervals"]] == [result] * 3
    for day, name in zip(DAYS, NAMES, strict=True):
        inside = frame()[frame()["time"].dt.strftime("%Y-%m-%d") == day]
        found = tidemill.read_matrix(sink, name)
        pd.testing.assert_frame_equal(found, expected(inside), check_names=False)


@pytest.mark.usefixtures("server_environment")
@pytest.mark.slow
def test_a_killed_run_is_resumed_and_no_part_is_calculated_twice(database, sink, probe):
    """Though the rows lie in another order by then."""
    part_bytes = int(1.5 * HOURS * 24)
    probe.tell(5, "wait go")
    options = [*COLUMNS, "--table=sensors", f"--part-bytes={part_bytes}", "--cluster=threads:1"]
    with programs.extraction(database.url, sink, *options, *probe.options) as flow:
        until(lambda: 5 in probe.counts and committed_parts(sink) >= 3, 120, "three parts", flow)
        flow.kill()
    probe.forget(5)
    assert list(sink.glob("_tidemill/snapshots/*/rows-*.parquet"))
    done, before = committed_parts(sink), probe.counts
    database.run("CREATE TABLE other AS SELECT * FROM sensors ORDER BY x", "DROP TABLE sensors")
    database.run("ALTER TABLE other RENAME TO sensors")
    summary = extract(
        database.url, str(sink), **ROLES | probe.arguments, table="sensors", column_sort="time",
        part_bytes=part_bytes,
    )  # fmt: skip
    assert summary["parts"]["reused"] == done
    new = probe.counts - before
    assert set(new.values()) == {1}
    assert 5 in new
    assert not set(new) & set(before) - {5}
    means = frame().groupby("id")["x"].mean()
    assert tidemill.read_matrix(sink)["x__mean"].tolist() == pytest.approx(means.tolist(), 1e-12)
    assert not list(sink.glob("_tidemill/snapshots*"))
    assert_nothing_left(sink)
    assert records(sink)[-1]["parts"]["calculated"] == len(new)
    assert_no_secret(sink)


@pytest.mark.parametrize(
    ("options", "secret", "sentence"),
    [
        (["--table=sensors"], "wro/ng", "password authentication failed"),
        (["--table=nope"], PASSWORD, "table 'nope' cannot be read: relation"),
        (["--table=sensors", "--column-value=y"], PASSWORD, "--column-value='y' is not a column"),
        (["--query=SELECT id, time, x / 0 AS x FROM sensors"], PASSWORD, "division by zero"),
        ([], PASSWORD, "either table or query"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    options, secret, sentence, database, sink, command, monkeypatch
):
    monkeypatch.setenv("PLANT_PASSWORD", secret)
    code, said = command("extract", database.url, sink, *COLUMNS, "--settings=minimal", *options)
    assert code != 0
    assert sentence in said
    assert len(said.strip().splitlines()) == 1, said
    assert secret not in said
    assert not sink.exists()


def test_a_server_that_is_down_is_one_line(sink, command, monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", PASSWORD)
    url = "postgresql://tide@127.0.0.1:1/plant"
    code, said = command("extract", url, sink, *COLUMNS, "--settings=minimal", "--table=sensors")
    assert code != 0
    assert "postgresql://tide@127.0.0.1:1/plant does not answer" in said
    assert len(said.strip().splitlines()) == 1, said
    assert PASSWORD not in said


@pytest.mark.usefixtures("server_environment")
def test_the_flows_own_error_holds_no_password(database, sink, monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", "wro/ng")
    with pytest.raises(SourceError, match="password authentication failed") as refused:
        extract(database.url, str(sink), **ROLES, table="sensors", column_sort="time")
    assert "wro/ng" not in str(refused.value)
    assert_no_secret(sink)
