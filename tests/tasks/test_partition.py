"""The task that spills the input by id range, on the workers of the running flow."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from prefect import flow
from prefect_dask import DaskTaskRunner

from tidemill.orchestration.cluster import parse_cluster
from tidemill.tasks.partition import partition

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_only_what_cannot_be_used_as_it_lies_is_spilled(ending, tmp_path, sink):
    series = make_input(tmp_path, n_ids=4)
    arguments = series.arguments
    if ending == "csv":
        series.frame.to_csv(tmp_path / "rows.csv", index=False)
        arguments["source"] = str(tmp_path / "rows.csv")
    keywords = dict(parse_cluster("threads:1").keywords)

    @flow(task_runner=DaskTaskRunner(**keywords))
    def run(address: dict) -> dict:
        return partition(address, "threads:1")

    with opened(series, sink, **arguments) as job:
        found = run(asdict(job.run))
    layout, rows = ("spilled", len(series.frame)) if ending == "csv" else ("clustered", 0)
    assert (found["layout"], found["rows"]) == (layout, rows)
