"""Text for the terminal: who is in a Dask cluster, what runs there, whose versions differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tidemill.errors import printable, shorten
from tidemill.model.cluster_look import ClusterLook, WorkerLook
from tidemill.model.counts import counted
from tidemill.reports.text import bytes_text, seconds_text, table_text

__all__ = ["cluster_text", "logs_text"]

#: Seconds without a sign of life that are worth a word; clocks of hosts differ by less.
SILENT_SECONDS = 30.0
#: Tasks named in a line.
NAMES = 5
NO_LINES = [("", "(nothing)")]


def cluster_text(look: ClusterLook) -> str:
    """The scheduler in a few lines, its workers in a table, then whatever differs from here."""
    lines = [f"{title:<15}  {value}" for title, value in _head(look)]
    if look.workers:
        titles = ["worker", "name", "host", "threads", "memory", "results", "runs", "state"]
        lines += ["", *table_text(titles, map(_cells, look.workers))]
    return "\n".join([*lines, "", *_version_lines(look)])


def _head(look: ClusterLook) -> Iterator[tuple[str, str]]:
    yield "Scheduler", f"{look.address}, up for {seconds_text(look.up_seconds)}"
    threads = sum(worker.threads for worker in look.workers)
    if look.workers:
        where = counted(look.hosts, "host")
        memory = _memory_text(
            sum(worker.memory_bytes for worker in look.workers),
            sum(worker.memory_limit for worker in look.workers),
        )
        yield (
            "Workers",
            f"{len(look.workers):,} on {where}, {counted(threads, 'thread')}, {memory} of memory",
        )
    else:
        yield "Workers", f"none; start one with: dask worker {look.address}"
    yield "Runs", shorten(look.runs) or "none of tidemill's"
    if look.waiting:
        yield "Waiting", _tasks_text(look.waiting)
    if look.failed:
        yield "Failed", _tasks_text(look.failed)


def _cells(worker: WorkerLook) -> Sequence[object]:
    return (
        worker.address,
        worker.name if worker.name != worker.address else None,
        worker.host,
        worker.threads,
        _memory_text(worker.memory_bytes, worker.memory_limit),
        worker.results,
        _tasks_text(worker.tasks),
        ", ".join(_states(worker)),
    )


def _states(worker: WorkerLook) -> Iterator[str]:
    yield worker.status.replace("_", " ")
    if not worker.has_nanny:
        yield "no nanny"
    if worker.silent_seconds > SILENT_SECONDS:
        yield f"silent for {seconds_text(worker.silent_seconds)}"


def _memory_text(used: int, limit: int) -> str:
    return f"{bytes_text(used)} of {bytes_text(limit)}" if limit else bytes_text(used)


def _tasks_text(tasks: Mapping[str, int]) -> str:
    """Names of tasks with their numbers, the most frequent first.

    Examples
    --------
    >>> _tasks_text({"sum": 1, "calculate_features": 12})
    'calculate_features 12, sum 1'
    """
    ordered = sorted(tasks.items(), key=lambda item: -item[1])
    return shorten((f"{name} {count:,}" for name, count in ordered), NAMES)


def _version_lines(look: ClusterLook) -> Iterator[str]:
    here = ", ".join(f"{name} {version}" for name, version in look.here.items())
    yield f"{'Versions here':<15}  {here}"
    differing = [("scheduler", look.scheduler_differing())]
    differing += [
        (worker.address, look.differing(worker.versions))
        for worker in look.workers
        if worker.versions
    ]
    for who, found in differing:
        if found:
            told = ", ".join(
                f"{name} {version} (here {look.here[name]})" for name, version in found.items()
            )
            yield f"{'! differs':<15}  {printable(who)}: {told}"
    for worker in look.workers:
        if not worker.versions:
            yield f"{'! unknown':<15}  {printable(worker.address)} did not answer"


def logs_text(logs: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The lines of each log below the name of its owner.

    Examples
    --------
    >>> print(logs_text({"scheduler": [("INFO", "Clear task state")], "tcp://10.0.0.2:40001": []}))
    scheduler
      Clear task state
    <BLANKLINE>
    tcp://10.0.0.2:40001
      (nothing)
    """
    blocks = (
        "\n".join([printable(who), *(f"  {printable(text)}" for _, text in lines or NO_LINES)])
        for who, lines in logs.items()
    )
    return "\n\n".join(blocks)
