"""The main job as a Prefect flow: time series in, feature matrix out.

Call it, serve it, deploy it, or run this file: ``python flows/extract.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill extract``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow

from tidemill.execution.job import Job, extract_here, take_turn
from tidemill.execution.ordered_pool import Turn
from tidemill.orchestration.artifacts import live_progress, show_report
from tidemill.orchestration.cluster import ClusterSpec, parse_cluster
from tidemill.orchestration.dead_runs import INNER, end_dead_runs
from tidemill.orchestration.parameters import (
    Bytes,
    Cluster,
    Column,
    Columns,
    Location,
    Locations,
    Modules,
    OnDuplicate,
    OnError,
    OnNan,
    PositiveSeconds,
    Seconds,
    SettingsChoice,
    StorageOptions,
)
from tidemill.orchestration.steps import Steps, cancel_interrupted, engine_logs, one_api
from tidemill.planning.request import Request, make_request
from tidemill.reports.markdown import extraction_page
from tidemill.tasks import calculate_chunk_size, calculate_features, partition, reduce

__all__ = ["carry_out", "extract", "extract_on_dask"]


@flow(name="extract", persist_result=False, on_crashed=[cancel_interrupted])
def extract(
    source: Locations,
    sink: Location,
    column_id: Columns,
    column_sort: Column | None = None,
    column_kind: Column | None = None,
    column_value: Columns | None = None,
    settings: SettingsChoice = "comprehensive",
    kind_to_settings: dict[str, Any] | None = None,
    cluster: Cluster = "threads",
    on_nan: OnNan = "raise",
    on_duplicate: OnDuplicate = "raise",
    on_error: OnError = "raise",
    work_dir: Location | None = None,
    storage_options: StorageOptions | None = None,
    modules: Modules | None = None,
    part_bytes: Bytes | None = None,
    wait_for_sink: Seconds = 0.0,
    isolation_seconds: PositiveSeconds = 300.0,
) -> dict[str, Any]:
    """Calculate the feature matrix of the time series in files.

    Args:
        source: Path, folder, glob or URL of Parquet or CSV files, or a list of them.
        sink: Where the feature matrix goes. A path that ends in .parquet or .csv is one file;
            anything else is the folder or URL of a Delta table.
        column_id: Column that says which series a row belongs to, or a list of columns that say it
            together.
        column_sort: Column that orders the rows of a series. Without it the order of the files
            and rows is kept.
        column_kind: Column that names the kind of each row (long format).
        column_value: Column with the values, or a list of columns that are kinds. Without it every
            other column is a kind.
        settings: Which features: a preset (minimal, efficient, comprehensive), the path of a
            settings file that ends in .yaml, .yml or .json, or a mapping from calculators to lists
            of parameters.
        kind_to_settings: Settings of single kinds, which come before the settings of all.
        cluster: none, threads[:N], processes[:N] (N is 1 or more), tcp://host:port,
            tls://host:port, or the path of a file that ends in .yaml, .yml or .json, with keywords
            of DaskTaskRunner.
        on_nan: What a series with NaN or infinite values gets. raise: the run fails; omit: its
            other values count; quarantine: it has no row, and the run goes on.
        on_duplicate: What rows with the same id, kind and sort value give. raise: the run fails;
            first, last: the one that counts; mean: the mean of their values.
        on_error: What a cell gets whose calculator raises an error. raise: the run fails; nan: it
            is NaN, and the run goes on.
        work_dir: Folder for temporary data, reachable by all workers. Default: beside the sink.
        storage_options: Options of the object store, each with the name of the environment variable
            that holds its value, such as AWS_REGION: capitals, digits and underscores. Never the
            value itself.
        modules: Importable modules that register custom calculators, such as mine.calculators, on
            every worker.
        part_bytes: Bytes of input per part, 1 or more. Default: by the size of the input.
        wait_for_sink: Seconds to wait while another run owns the sink, 0 or more.
        isolation_seconds: Seconds that a few series may take in an isolated process before they
            count as hung, above 0.

    Returns:
        The summary of the run: sink, rows, columns, parts, seconds per step, errors, digest.
    """
    spec = parse_cluster(cluster)
    request = make_request(
        source, sink, settings=settings, kind_to_settings=kind_to_settings, column_id=column_id,
        column_sort=column_sort, column_kind=column_kind, column_value=column_value,
        on_nan=on_nan, on_duplicate=on_duplicate, on_error=on_error, work_dir=work_dir,
        storage_options=storage_options, modules=modules or (), part_bytes=part_bytes,
        isolation_seconds=isolation_seconds,
    )  # fmt: skip
    with engine_logs():
        end_dead_runs()
        with live_progress(request.sink) as progress:
            progress.expect([""])
            summary = carry_out(request, spec, wait_for_sink)
            progress.finish("")
        show_report(extraction_page(summary), request.sink)
        return summary


def carry_out(
    request: Request, spec: ClusterSpec, wait_for_sink: float, turn: Turn | None = None
) -> dict[str, Any]:
    """Carry out a request inside a flow: in this process, or as a subflow on a Dask cluster."""
    if spec.kind == "none":
        return extract_here(request, wait_for_sink=wait_for_sink, turn=turn).to_json()
    with Job.open(request, wait_for_sink, spec.text, turn) as job, one_api(spec) as runner:
        name = job.run.interval or job.run.run_id
        on_dask = extract_on_dask.with_options(task_runner=runner, flow_run_name=name)
        return on_dask(asdict(job.run), spec.text)


@flow(name=INNER, persist_result=False, on_crashed=[cancel_interrupted])
def extract_on_dask(run: dict[str, Any], cluster: str) -> dict[str, Any]:
    """Carry out the steps of a run on the Dask cluster of this flow's task runner.

    Args:
        run: Address of the run, made by the flow extract.
        cluster: The cluster, as given to the flow extract.

    Returns:
        The summary of the run.
    """
    with engine_logs(), Steps.start(run, cluster) as steps:
        chunks = steps.time("calculate_chunk_size", calculate_chunk_size, run, steps.threads)
        steps.time("partition", partition, run, cluster)
        steps.time("calculate_features", steps.run_chunks, chunks["chunks"], calculate_features)
        take_turn(steps.run)
        return reduce(run, steps.facts())


if __name__ == "__main__":
    from tidemill.cli.main import run_file

    run_file("extract")
