"""How runs end: the verdict stands in the state, in the log, and on top of the report."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from tidemill.errors import ArgumentError
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.model.verdict import Verdict
from tidemill.orchestration.ending import ended_with, reported
from tidemill.planning.doors import EXTRACT

DAY = "2026-11-17"
ROLES = {"column_id": "id", "settings": "minimal", "cluster": "none"}


@pytest.fixture
def source(tmp_path):
    times = np.tile(pd.date_range(DAY, periods=24, freq="1h"), 4)
    frame = pd.DataFrame({"id": np.repeat(range(4), 24), "time": times, "x": np.arange(96.0)})
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    return tmp_path / "in.parquet"


@pytest.fixture
def spoilt(source):
    """The same with a series that cannot be used."""
    frame = pd.read_parquet(source)
    frame.loc[30, "x"] = np.inf
    frame.to_parquet(source, index=False)
    return source


def report_of(state):
    """The report on the page of the run that ended in a state."""
    mine = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
    (page,) = [one.data for one in found if (one.key or "").startswith("tidemill-report")]
    return page


@pytest.fixture
def end_of(prefect_server):
    """Call a flow; the state in which it ends and the first line of its report."""

    def end(flow, **arguments):
        state = flow(**ROLES, **arguments, return_state=True)
        with get_client(sync_client=True) as client:
            told = client.read_flow_run(state.state_details.flow_run_id).state
        assert (told.type, told.name, told.message) == (state.type, state.name, state.message)
        page = report_of(state)
        assert page.splitlines()[0].replace("\\", "") == f"# {state.message}"
        return state, page

    return end


def test_a_run_that_warns_is_completed_under_a_name_of_its_own(end_of, spoilt, sink, caplog):
    given = {"source": str(spoilt), "sink": str(sink), "on_nan": "quarantine"}
    with caplog.at_level(logging.INFO, "tidemill"):
        state, page = end_of(extract, column_sort="time", **given)
    assert (state.is_completed(), state.name) == (True, "Warned")
    assert state.message == "Completed, 1 warning: 1 of 4 series quarantined"
    assert state.result()["verdict"] == state.message
    (line,) = [one for one in caplog.records if one.getMessage() == state.message]
    assert line.levelno == logging.WARNING
    assert page.index("## Quarantined") < page.index("## Slowest calculators")


def test_a_run_that_finds_nothing_to_do_says_why(end_of, source, sink):
    given = {"source": str(source), "sink": str(sink)}
    first, _ = end_of(extract, column_sort="time", **given)
    assert (first.name, first.message) == ("Completed", "Completed: 4 rows of 10 columns")
    again, _ = end_of(extract, column_sort="time", **given)
    assert again.is_completed()
    assert (again.name, again.message) == (
        "Skipped", "Skipped: unchanged: the sink showed this result already",
    )  # fmt: skip


def test_recurring_runs_and_backfills_say_it_too(end_of, spoilt, sink):
    given = {"source": str(spoilt), "sink": str(sink), "column_time": "time"}
    one = {**given, "interval_start": DAY, "lookback": 0}
    warned, _ = end_of(extract_interval, **one)
    assert (warned.name, warned.is_completed()) == ("Warned", True)
    said = "1 of 4 series quarantined, without a row"
    assert warned.message == f"Completed, 1 warning: {said}"
    skipped, _ = end_of(extract_interval, **one)
    same = "the files that touch its window are the same"
    assert (skipped.name, skipped.message) == ("Skipped", f"Skipped: {DAY} is unchanged: {same}")
    span = {"start": DAY, "end": "2026-11-18"}
    filled, page = end_of(backfill, **given, **span, recalculate=True)
    assert (filled.name, filled.message) == ("Warned", f"Completed, 1 warning: {DAY}: {said}")
    assert f"| {DAY} | recalculated | published | 3 |" in page


def test_the_page_leads_to_the_html_report(end_of, source, sink):
    given = {"source": str(source), "sink": str(sink), "column_time": "time"}
    one = {**given, "interval_start": DAY, "lookback": 0}
    state, page = end_of(extract_interval, **one)
    (link,) = state.result()["reports"]
    assert link["label"] == DAY
    assert f"- report of {DAY}: [`{link['address']}`](file://{link['address']})" in page
    assert "Completed: " in Path(link["address"]).read_text()
    url = "https://reports.example.org/t"
    span = {"start": DAY, "end": "2026-11-18", "recalculate": True}
    state, page = end_of(backfill, **given, **span, report_url=url)
    (link,) = state.result()["reports"]
    assert re.fullmatch(f"{url}/[0-9a-zT-]+[.]html", link["address"])
    assert f"]({link['address']})" in page


def test_the_page_of_a_failed_run_leads_to_its_html_report(end_of, spoilt, sink):
    given = {"source": str(spoilt), "sink": str(sink), "column_time": "time"}
    one = {**given, "interval_start": DAY, "lookback": 0, "on_nan": "raise"}
    state, page = end_of(extract_interval, **one, retries=0)
    assert state.is_failed()
    (report,) = (sink / "_tidemill" / "reports").iterdir()
    assert f"- report of {DAY}: [`{report}`](file://{report})" in page
    assert "Failed: DataError" in report.read_text()


@pytest.mark.parametrize(
    ("flow", "more", "error"),
    [
        (extract, {"column_sort": "time", "source": "nowhere"}, "SourceError: no input files"),
        (extract, {"column_sort": "time", "settings": "none"}, "SettingsError: settings='none'"),
        (extract_interval, {"column_time": "tim"}, "SourceError: column"),
        (extract_interval, {"column_time": "time", "every": "1 day"}, "ArgumentError: every"),
        (backfill, {"column_time": "time", "start": "then", "end": DAY}, "ArgumentError: start"),
    ],
)
def test_every_failure_has_a_report_with_the_reason_and_the_command(
    flow, more, error, prefect_server, source, sink
):
    given = {**ROLES, "source": str(source), "sink": str(sink), **more}
    state = flow(**given, return_state=True)
    page = report_of(state)
    assert state.is_failed()
    assert state.message.startswith(f"Failed: {error}")
    assert page.replace("\\", "").startswith(f"# Failed: {error}")
    assert f"```bash\ntidemill {flow.name} " in page
    assert not sink.exists()


def test_a_flow_called_as_a_plain_function_returns_its_result():
    assert ended_with(Verdict("Completed"), {"rows": 1}, "# page", "t") == {"rows": 1}


def test_what_cannot_be_reported_hides_no_error(caplog):
    def fail():
        with reported(EXTRACT, {"source": "a", "sink": "t"}) as ending:
            ending.report_so_far(lambda: 1 / 0, str)
            raise ArgumentError("why")

    with pytest.raises(ArgumentError, match="why"):
        fail()
    assert "what the run had found so far cannot be reported" in caplog.text
