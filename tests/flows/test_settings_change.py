"""Changed settings of a table that exists: only new features are calculated, or all of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.errors import BackfillError, SettingsError
from tidemill.flows import on_dask
from tidemill.flows.backfill import backfill
from tidemill.flows.recurring import extract_interval
from tidemill.reports.markdown import interval_page
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout

from ..support import programs
from ..support.sinks import assert_nothing_left, committed_parts
from ..support.waiting import until

IDS, STEPS = 4, 24
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19")
NAMES = [f"{day.replace('-', '')}T000000Z" for day in DAYS]
ROLES = {"column_id": "id", "column_time": "time", "retries": 0}
SPAN = {"start": DAYS[0], "end": "2026-11-20"}


@pytest.fixture
def source(tmp_path):
    """The first value of a series is its id: that is what probes count by."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for day in DAYS:
        times = np.tile(pd.date_range(day, periods=STEPS, freq="1h"), IDS)
        frame = pd.DataFrame({"id": np.repeat(np.arange(IDS), STEPS), "time": times})
        values = rng.normal(size=len(frame))
        values[::STEPS] = np.arange(IDS)
        frame.assign(x=values).to_parquet(folder / f"{day}.parquet", index=False, row_group_size=24)
    return folder


@pytest.fixture
def extract(source, sink, probe, prefect_server):
    def run(settings, cluster="none", day=DAYS[2], **options):
        given = {"lookback": 1, "modules": probe.arguments["modules"]} | options
        return extract_interval(
            str(source), str(sink), **ROLES, settings=settings, cluster=cluster,
            interval_start=day, **given,
        )  # fmt: skip

    return run


@pytest.fixture
def fill(source, sink, probe, prefect_server):
    def run(settings, to=sink, **options):
        given = {"cluster": "none", "modules": probe.arguments["modules"]} | SPAN | options
        return backfill(str(source), str(to), **ROLES, settings=settings, **given)

    return run


def records(sink):
    layout = SinkLayout.of(sink)
    return read_intervals(layout, interval_names(layout))


def digests(sink):
    return {name: record.digest for name, record in records(sink).items()}


def states(report):
    return [one["state"] for one in report.get("findings", report.get("intervals"))]


def more(probe):
    return {"skewness": None, **probe.arguments["settings"], "maximum": None}


def test_append_calls_no_old_calculator(extract, fill, probe, source, sink, tmp_path):
    """The run looks at two days, and names the one before with the command for it."""
    old = probe.arguments["settings"]
    fill(old)
    assert set(probe.counts.values()) == {len(DAYS)}
    report = extract(more(probe), "threads:2", on_settings_change="append")
    assert states(report) == ["extended"] * 2
    assert all("new features maximum, skewness" in one["reason"] for one in report["findings"])
    assert [one["columns"] for one in report["summaries"]] == [4, 4]
    start, end = "2026-11-17T00:00:00+00:00", "2026-11-18T00:00:00+00:00"
    assert report["outdated"]["names"] == ["2026-11-17"]
    (command,) = report["outdated"]["commands"]
    assert "--on-settings-change append" in command
    assert command.endswith(f"--start {start} --end {end}")
    assert command in interval_page(report)
    filled = fill(more(probe), on_settings_change="append", start=start, end=end)
    assert states(filled) == ["extended"]
    assert set(probe.counts.values()) == {len(DAYS)}
    again = extract(more(probe), on_settings_change="append")
    assert (states(again), again["outdated"]["count"]) == (["unchanged"] * 2, 0)
    assert states(extract(more(probe))) == ["unchanged"] * 2
    whole = tmp_path / "whole"
    fill(more(probe), whole)
    assert digests(sink) == digests(whole)
    pd.testing.assert_frame_equal(tidemill.read_matrix(sink), tidemill.read_matrix(whole))


def test_new_calculators_are_called_once_for_each_series(extract, probe, sink):
    extract({"mean": None}, lookback=0)
    after = {"mean": None, **probe.arguments["settings"]}
    extract(after, lookback=0, on_settings_change="append")
    assert dict(probe.counts) == dict.fromkeys(range(IDS), 1)
    assert_nothing_left(sink)


def test_a_backfill_that_failed_goes_on_where_it_was(fill, probe, monkeypatch):
    fill(probe.arguments["settings"])
    real = on_dask.carry_out

    def carry_out(request, *rest):
        if request.interval.name == NAMES[1]:
            raise ValueError("broken")
        return real(request, *rest)

    monkeypatch.setattr(on_dask, "carry_out", carry_out)
    with pytest.raises(BackfillError, match="1 failed; first"):
        fill(more(probe), on_settings_change="append")
    monkeypatch.undo()
    filled = fill(more(probe), on_settings_change="append")
    assert states(filled) == ["unchanged", "extended", "unchanged"]


def test_recalculation_with_fewer_features(extract, fill, probe, sink):
    fill(more(probe))
    old = probe.arguments["settings"]
    with pytest.raises(SettingsError, match=r"features left out maximum, skewness\. Choose"):
        extract(old, on_settings_change="append")
    report = extract(old, on_settings_change="recalculate", on_nan="omit")
    assert states(report) == ["recalculated"] * 2
    assert report["outdated"]["names"] == ["2026-11-17"]
    assert "on_nan='omit' instead of 'quarantine'" in report["summaries"][0]["reason"]
    assert "- the settings changed, and all columns were calculated" in interval_page(report)
    matrix = tidemill.read_matrix(sink)
    assert list(matrix.columns[2:]) == ["x__skewness", "x__maximum"]
    assert matrix["x__maximum"].isna().groupby("interval").all().tolist() == [False] + [True] * 2
    filled = fill(old, on_settings_change="recalculate", on_nan="omit")
    assert states(filled) == ["recalculated"] + ["unchanged"] * 2
    assert {len(one.settings["*"]) for one in records(sink).values()} == {2}


def test_a_refused_interval_does_not_keep_the_others(extract, fill, probe, source):
    """Late rows of a day that has more features: they would be lost."""
    old = probe.arguments["settings"]
    fill(old)
    extract(more(probe), day=DAYS[0], lookback=0, on_settings_change="append")
    late = {"id": [1], "time": [pd.Timestamp("2026-11-17 23:30")], "x": [50.0]}
    pd.DataFrame(late).to_parquet(source / "late.parquet", index=False)
    assert states(fill(old, dry_run=True)) == ["refused"] + ["unchanged"] * 2
    with pytest.raises(
        BackfillError, match=r"1 refused, 2 skipped; .* features left out maximum, skewness"
    ):
        fill(old)
    assert states(fill(old, on_settings_change="recalculate"))[0] == "changed"


@pytest.mark.slow
@pytest.mark.usefixtures("server_environment")
def test_a_killed_run_goes_on_from_its_parts(fill, probe, source, sink, tmp_path):
    fill({"mean": None}, part_bytes=800)
    after = {"mean": None, **probe.arguments["settings"]}
    path = tmp_path / "after.json"
    path.write_text(json.dumps(after))
    before = tidemill.read_matrix(sink)
    probe.tell(2, "wait go")
    command = [
        programs.BIN / "tidemill", "extract-interval", source, sink, "--column-id=id",
        "--column-time=time", f"--settings={path}", f"--module={probe.arguments['modules'][0]}",
        "--cluster=threads:1", f"--interval-start={DAYS[2]}", "--lookback=0",
        "--on-settings-change=append", "--part-bytes=800", "--on-nan=quarantine",
        "--on-error=nan",
    ]  # fmt: skip
    with programs.program(command) as flow:
        until(lambda: 2 in probe.counts and committed_parts(sink) >= 1, 120, "a part", flow)
        flow.kill()
    probe.forget(2)
    pd.testing.assert_frame_equal(tidemill.read_matrix(sink), before)
    done, calls = committed_parts(sink), probe.counts
    report = fill(after, on_settings_change="append", part_bytes=800)
    assert states(report) == ["extended"] * 3
    new = probe.counts - calls
    assert sum(new.values()) == len(DAYS) * IDS - done
    assert_nothing_left(sink)
    whole = tmp_path / "whole"
    fill(after, whole)
    assert digests(sink) == digests(whole)
