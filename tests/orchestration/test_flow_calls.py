"""Calls of flows that cannot work are refused in a sentence, which the run's page reports."""

from __future__ import annotations

import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter

from tidemill.errors import ArgumentError, SourceError
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.flows.retention import retention
from tidemill.flows.select_features import select

WHERE = {"source": "in.parquet", "sink": "out", "column_id": "id"}
WHEN = {**WHERE, "column_time": "time"}
FRAME = (
    "DataFrame given, but the flow takes paths and URLs of files; "
    "tidemill.extract_features takes frames"
)

pytestmark = pytest.mark.usefixtures("prefect_server")


def runs():
    with get_client(sync_client=True) as client:
        return client.count_flow_runs(flow_run_filter=FlowRunFilter())


@pytest.mark.parametrize(
    ("flow", "given", "sentence"),
    [
        (
            extract,
            {**WHERE, "series_seconds": "many"},
            "series_seconds='many' is not allowed; allowed: number or null",
        ),
        (
            extract,
            {**WHERE, "source": pd.DataFrame({"a": [1]})},
            f"source is not allowed: {FRAME}",
        ),
        (
            extract_interval,
            {**WHEN, "on_nan": "drop"},
            "on_nan='drop' is not allowed; allowed: raise, omit, quarantine",
        ),
        (
            backfill,
            {**WHEN, "start": "2026-11-18", "end": "2026-11-19", "concurrency": "two"},
            "concurrency='two' is not allowed; allowed: integer, minimum 1",
        ),
        (
            retention,
            {"tables": ["t"], "keep": 30},
            "keep=30 is not allowed; allowed: string",
        ),
        (
            select,
            {"matrix": "m", "target": "y.csv", "column_target": "y", "ml_task": "rank"},
            "ml_task='rank' is not allowed; allowed: auto, classification, regression",
        ),
    ],
    ids=["type", "frame", "choice", "number", "duration", "task"],
)
def test_a_value_of_another_type_is_refused_and_reported(flow, given, sentence):
    state = flow(**given, return_state=True)
    assert state.is_failed()
    assert state.message == f"Failed: ArgumentError: {sentence}"
    mine = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
    (page,) = [one.data for one in found if (one.key or "").startswith("tidemill-report")]
    assert page.splitlines()[0].replace("\\", "") == f"# {state.message}"
    with pytest.raises(ArgumentError):
        flow(**given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {**WHERE, "retires": 3},
            r"extract\(\): got an unexpected keyword argument 'retires'; ",
        ),
        ({"source": "in", "sink": "out"}, r"missing a required argument: 'column_id'; .*cluster"),
    ],
)
def test_names_are_checked_before_a_run_is_made(given, sentence):
    before = runs()
    with pytest.raises(TypeError, match=sentence):
        extract(**given)
    assert runs() == before


def test_a_refusal_is_not_left_for_the_next_call(tmp_path):
    with pytest.raises(ArgumentError, match="on_nan"):
        extract(**WHERE, on_nan="drop")
    with pytest.raises(SourceError, match="no input files"):
        extract(str(tmp_path / "none.parquet"), str(tmp_path / "out"), "id")
