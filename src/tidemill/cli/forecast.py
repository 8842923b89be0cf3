"""What a run would do and take, without running anything: ``tidemill plan``."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from statistics import median

import psutil

from tidemill.calculators.costs import probe
from tidemill.calculators.program import Program, to_compile
from tidemill.calculators.warming import compile_seconds
from tidemill.execution.resources import disk_free, output_bytes
from tidemill.execution.spill import spill_bytes
from tidemill.model.counts import counted
from tidemill.model.plan import Part, Plan
from tidemill.orchestration.cluster import ClusterSpec, parse_cluster
from tidemill.planning.chunks import predict_run_seconds, size_chunks
from tidemill.planning.parts import part_memory_bytes
from tidemill.planning.prepare import prepare, warning_of
from tidemill.planning.request import Request, source_text
from tidemill.planning.snapshots import snapshots_elsewhere
from tidemill.reports.text import aligned, bytes_text, seconds_text
from tidemill.storage.check_sink import check_sink
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import committed
from tidemill.storage.record import history

__all__ = ["Forecast", "forecast", "forecast_text"]

#: Imports, the first requests to a server, and the start of a Dask cluster, on two slow cores.
START_SECONDS = {"none": 2.0, "threads": 5.0, "processes": 12.0, "address": 5.0, "file": 12.0}
#: Start of Prefect's embedded server, and the making of its database.
SERVER_SECONDS = 6.0
DATABASE_SECONDS = 15.0
#: A process with numpy, Arrow, numba, Prefect and Dask, before it does anything.
PROCESS_BYTES = 350 * 2**20
#: Earlier runs that are looked at, and seconds that make one count.
RECORDS = 10
LEAST_SECONDS = 1.0
#: Seconds of one thread to spill a row and to bring the rows of a part together.
SPILL_ROW_SECONDS = 1.2e-7


@dataclass(frozen=True, slots=True)
class Forecast:
    """What ``tidemill plan`` prints."""

    source: str
    sink: str
    rows: int  # of input
    ids: int
    series: int
    columns: int
    layout: str
    parts: int
    parts_missing: int
    threads: int
    chunks: int
    chunk_size: int  # ids per chunk
    chunk_reason: str
    memory_bytes: int  # of one worker process with all its threads
    memory_free: int
    output_bytes: int
    spill_bytes: int
    disk_free: int | None  # where the sink lies; None: object storage
    speed: float  # seconds here for a second of the cost table
    speed_evidence: str  # where that is known from
    seconds: float  # predicted, the fixed start included
    start_seconds: float
    start_reason: str  # what it takes
    warning: str  # "": there is nothing to say


def forecast(request: Request, cluster: str = "threads") -> Forecast:
    """Plan a request and predict what it takes; writes nothing.

    Raises
    ------
    InputError, SinkError
        As the run itself would at its door.
    """
    with snapshots_elsewhere(request) as apart:
        return _forecast(apart, cluster)


def _forecast(request: Request, cluster: str) -> Forecast:
    spec = parse_cluster(cluster)
    layout = SinkLayout.of(request.sink, request.storage_options)
    check_sink(layout, request.locations)
    plan, statistics = prepare(request)
    done = committed(layout.key(plan.result_key))
    missing = [part for part in plan.parts if part.index not in done]
    threads = _threads(spec)
    speed, evidence = _speed(layout)
    size = size_chunks(missing, threads)
    local = [replace(part, seconds=part.seconds * speed) for part in missing]
    starts = _starts(spec, plan) if missing else {"programs": START_SECONDS[spec.kind]}
    start = sum(starts.values())
    ids = round(statistics.profile.ids)
    return Forecast(
        source=source_text(request),
        sink=request.sink,
        rows=statistics.profile.rows,
        ids=ids,
        series=ids * len(plan.source.kinds),
        columns=len(plan.columns),
        layout=plan.layout,
        parts=len(plan.parts),
        parts_missing=len(missing),
        threads=threads,
        chunks=size.chunks,
        chunk_size=size.chunk_size,
        chunk_reason=size.reason,
        memory_bytes=_memory(plan, missing, threads, spec),
        memory_free=psutil.virtual_memory().available,
        output_bytes=output_bytes(plan),
        spill_bytes=spill_bytes(plan.source) if plan.layout == "spilled" else 0,
        disk_free=disk_free(layout),
        speed=speed,
        speed_evidence=evidence,
        seconds=start
        + _partition_seconds(plan, missing, threads)
        + predict_run_seconds(local, threads),
        start_seconds=start,
        start_reason=", ".join(f"{name} {seconds_text(one)}" for name, one in starts.items()),
        warning=warning_of(plan, statistics) if missing else "",
    )


def _starts(spec: ClusterSpec, plan: Plan) -> dict[str, float]:
    """Seconds until the first part is calculated, by what they are spent on."""
    found = {"programs": START_SECONDS[spec.kind]}
    if spec.kind != "none":
        found |= _server_starts()
    kernels = to_compile(Program(features) for features in plan.features.values())
    if kernels and spec.kind != "address":  # others compile elsewhere
        found[f"{counted(kernels, 'kernel')} to compile"] = compile_seconds(kernels)
    return found


def _server_starts() -> dict[str, float]:
    """Seconds for an embedded server, unless another is configured."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME

    if PREFECT_API_URL.value():
        return {}
    is_new = not (PREFECT_HOME.value() / "prefect.db").exists()
    return {"server": SERVER_SECONDS} | ({"its database": DATABASE_SECONDS} if is_new else {})


def _speed(layout: SinkLayout) -> tuple[float, str]:
    """Seconds here for a second of the cost table: by earlier runs into the sink, or by a probe."""
    ratios = [
        record.part_seconds / record.predicted_seconds
        for record in history(layout, RECORDS)
        if min(record.part_seconds, record.predicted_seconds) > LEAST_SECONDS
    ]
    if ratios:
        return median(ratios), f"measured by {len(ratios)} earlier runs"
    return probe(), "by a short probe"


def _threads(spec: ClusterSpec) -> int:
    """Threads of a cluster that is not there yet; one per core where it says nothing."""
    return spec.size or os.cpu_count() or 1


def _partition_seconds(plan: Plan, missing: list[Part], threads: int) -> float:
    """Wall seconds of the partition step and of reading its spill."""
    if plan.layout == "clustered" or not missing:
        return 0.0
    return sum(file.rows for file in plan.source.files) * SPILL_ROW_SECONDS / threads


def _memory(plan: Plan, parts: list[Part], threads: int, spec: ClusterSpec) -> int:
    """Bytes of one worker process at its peak."""
    in_one = 1 if spec.kind == "processes" else threads
    largest = sorted(part_memory_bytes(plan.source, plan.layout, one) for one in parts)
    return PROCESS_BYTES + sum(largest[-in_one:])


def forecast_text(found: Forecast) -> str:
    """The forecast in a few aligned lines."""
    cut = "read from the input as it lies" if found.layout == "clustered" else "spilled by id first"
    free = "object storage" if found.disk_free is None else f"{bytes_text(found.disk_free)} free"
    memory = f"{bytes_text(found.memory_bytes)} per worker process"
    known = found.speed_evidence
    start = f"of which {seconds_text(found.start_seconds)} start ({found.start_reason})"
    columns = counted(found.columns, "feature column")
    lines = {
        "Input": f"{found.source}: {counted(found.rows, 'row')}",
        "Series": f"{found.series:,} of {counted(found.ids, 'id')}, {columns}",
        "Parts": f"{found.parts:,}, of which {found.parts_missing:,} are missing; {cut}",
        "Chunk size": f"{counted(found.chunk_size, 'id')}: {found.chunk_reason}",
        "Chunks": f"{found.chunks:,} on {counted(found.threads, 'thread')}",
        "Memory": f"{memory}; {bytes_text(found.memory_free)} free here",
        "Output": f"{bytes_text(found.output_bytes)}; {free}",
        "Spill": bytes_text(found.spill_bytes) if found.spill_bytes else "none",
        "Predicted": f"{seconds_text(found.seconds)}, {start}",
        "This machine": f"takes {found.speed:.2f} of the time in the cost table, {known}",
    }
    if found.warning:
        lines["Warning"] = found.warning
    return aligned(lines.items())
