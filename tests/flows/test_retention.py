"""The flow `retention`: its state says what was done, and its pages say it of each table."""

from __future__ import annotations

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
)

from tidemill.errors import SinkError
from tidemill.flows.retention import retention

from ..support.ages import age
from ..support.daily import DAYS, run, source, table

__all__ = ["source", "table"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def published(source, table):
    for day in DAYS:
        run(source, table, day)
    age(table, 40)
    return table


def pages(state):
    flow_run = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=flow_run))
    return [one.data for one in found if str(one.data).startswith("# ")]


def test_it_ends_with_what_was_removed(published):
    state = retention([str(published)], drop_after="1h", return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Completed")
    assert state.message.startswith("Completed: 1 table: removed ")
    (done,) = state.result()["tables"]
    assert done["dropped"]["intervals"] == 2
    (page,) = pages(state)
    assert "| leases |" in page
    assert "dropped 2 intervals" in page


def test_a_table_that_is_not_there_warns_and_a_foreign_one_fails(published, tmp_path):
    state = retention([str(published), str(tmp_path / "none")], return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Warned")
    import pandas as pd
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "foreign", pd.DataFrame({"a": [1]}))
    with pytest.raises(SinkError, match="1 of 2 tables could not be kept in order"):
        retention([str(tmp_path / "foreign"), str(published)])
