"""The flow `select` in Prefect: its state says what was chosen, its page lists it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from tidemill import flows
from tidemill.errors import ArgumentError
from tidemill.flows.select_features import select

from ..support.daily import DAYS, run, source, table
from ..support.worn_pumps import worn, write_table

__all__ = ["source", "table"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def published(source, table):
    """A table of two intervals with five ids each."""
    for day in DAYS[:2]:
        run(source, table, day)
    return table


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "target.csv"
    pd.DataFrame({"id": np.arange(4), "y": [0.5, 1.0, 1.5, 2.5]}).to_csv(path, index=False)
    return str(path)


def pages(state):
    flow_run = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=flow_run))
        named = client.read_flow_run(state.state_details.flow_run_id).name
    return named, [one.data for one in found if str(one.data).startswith("# ")]


def test_rows_of_all_intervals_are_used_and_the_page_says_so(published, target):
    level = {"fdr_level": 0.99, "hypotheses_independent": True}
    state = select(str(published), target, "y", **level, return_state=True)
    assert state.type.value == "COMPLETED"
    summary = state.result()
    assert (summary["rows"], summary["intervals"], summary["rows_without_target"]) == (8, 2, 2)
    assert summary["ml_task"] == "regression"
    assert Path(summary["relevance"]).parent == published.parent / "table_selection"
    named, (page,) = pages(state)
    assert named.startswith("table-select-")
    assert "| rows | 8 of 2 intervals; 2 rows without a target" in page


def test_one_interval_is_chosen_by_its_date(published, target):
    summary = select(str(published), target, "y", interval=DAYS[0])
    assert (summary["rows"], summary["intervals"]) == (4, 1)


def test_the_page_names_each_interval(tmp_path):
    table = write_table(tmp_path)
    worn("numbers").to_csv(tmp_path / "y.csv")
    given = {"per_window": "interval", "min_share": 0.6, "return_state": True}
    state = select(table, str(tmp_path / "y.csv"), "y", **given)
    assert (state.type.value, state.name) == ("COMPLETED", "Warned")
    assert "1 of 4 intervals could not be tested and do not count: 2026-11-20 (1" in state.message
    page = pages(state)[1][0]
    assert "| interval | 2026-11-20: not tested: 1 row |" in page
    assert "| feature | type | p-value | intervals |" in page
    assert re.search(r"\| x__variance \| real \| [\d.e-]+ \| 2 \|", page)


def test_nothing_relevant_warns_and_what_is_wrong_fails(published, target):
    state = select(str(published), target, "y", fdr_level=1e-9, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Warned")
    assert "no feature is relevant at fdr_level=1e-09" in state.message
    with pytest.raises(ArgumentError, match="has no column 'z'"):
        select(str(published), target, "z")
    with pytest.raises(ArgumentError, match="DataFrame given, but the flow takes paths"):
        select(pd.DataFrame({"a": [1]}), target, "y")


def test_its_module_has_the_name_of_the_flow():
    assert import_module("tidemill.flows.select").select is select
    assert flows.select.select is select
