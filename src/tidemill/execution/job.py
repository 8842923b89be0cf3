"""One attempt at a request, which plans it, owns the sink's lease, and can be stopped.

A :class:`Job` owns the lease from :meth:`Job.open` to the end of its ``with`` block. The steps take
a :class:`~tidemill.storage.run_address.Run`, an address in JSON values, so that they can be tasks.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from tidemill.execution.attempt import clear_attempts_of_stopped
from tidemill.execution.cleanup import sweep
from tidemill.execution.guard import at_forced_end, guarded
from tidemill.execution.ordered_pool import Turn
from tidemill.execution.plans import is_shown, missing_of_plan, record_plan
from tidemill.execution.quarantine import retry_poison
from tidemill.execution.records import write_failure
from tidemill.execution.resources import check_room
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.model.progress import Progress, emit
from tidemill.planning.prepare import prepare, warning_of
from tidemill.planning.request import Request
from tidemill.storage.check_sink import check_sink
from tidemill.storage.intervals import read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import Lease, acquire
from tidemill.storage.markers import recorded
from tidemill.storage.part_files import discard_damaged
from tidemill.storage.run_address import Run

__all__ = ["Job", "OnEnd", "new_run_id", "stop_jobs", "stop_workers", "wait_to_publish"]

log = engine_log(__name__)

#: Told of a run that has ended, and must not fail.
OnEnd = Callable[[Run], None]

_OPEN: dict[str, Job] = {}  # run id -> job of this process


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to carry out a request, as the only writer of its sink."""

    request: Request
    run: Run
    lease: Lease
    turn: Turn

    @classmethod
    @contextmanager
    def open(
        cls,
        request: Request,
        wait_for_sink: float = 0.0,
        cluster: str = "none",
        turn: Turn | None = None,
        on_end: OnEnd | None = None,
    ) -> Iterator[Self]:
        """Plan the request, become the only writer of the sink or interval, and record the plan.

        Parameters
        ----------
        request : what to do
        wait_for_sink : seconds to wait while another run is the writer
        cluster : for the record
        turn : of this job among several; by default it does not wait
        on_end : called when the record of the run is written, whether it failed or not

        Raises
        ------
        InputError
            If input, columns or settings cannot be used; nothing was written.
        SinkError
            If the sink holds something else, or another live run owns it.
        ResourceError
            If the matrix does not fit onto the disk.
        """
        with guarded():
            yield from cls._open(request, wait_for_sink, cluster, turn, on_end)

    @classmethod
    def _open(
        cls,
        request: Request,
        wait_for_sink: float,
        cluster: str,
        turn: Turn | None,
        on_end: OnEnd | None,
    ) -> Iterator[Self]:
        now = datetime.now(UTC)
        emit(Progress("plan"))
        layout = SinkLayout.of(request.sink, request.storage_options)
        if not request.validated:
            check_sink(layout, request.locations, intervals=request.interval is not None)
        interval = request.interval.name if request.interval else None
        before = _publisher(layout, interval)
        plan, statistics = prepare(request)
        check_room(layout, plan)
        _warn(layout, plan, warning_of(plan, statistics))
        run_id = new_run_id(now)
        turn = turn or Turn()
        turn.wait_to_hold()
        with acquire(
            layout.lease_of(interval),
            owner=f"{getpass.getuser()} (cluster={cluster})",
            run_id=run_id,
            wait_seconds=wait_for_sink,
            sleep=turn.sleep,
        ) as lease:
            turn.holds.set()
            if _publisher(layout, interval) != before:  # its rows may be newer than the plan's
                plan, _ = prepare(request)
            run = _address(request, layout, plan, run_id, now, lease)
            sweep(run)
            plan = record_plan(run, plan)
            shown = is_shown(run)
            if not shown:  # parts of earlier attempts whose files are not those that were written
                discard_damaged(run.key, recorded(run.key).values())
            run = retry_poison(run, plan, asked=request.retry_quarantined, shown=shown)
            job = cls(request, run, lease, turn)
            with _registered(job, plan, cluster, on_end):
                yield job


@contextmanager
def _registered(job: Job, plan: Plan, cluster: str, on_end: OnEnd | None) -> Iterator[None]:
    """Let the job be found by its run; a failure that ends it is recorded."""
    _OPEN[job.run.run_id] = job
    try:
        job.turn.sleep(0.0)  # an earlier stop did not know of this job
        yield
    except BaseException as error:
        write_failure(job.run, plan, error, cluster)
        if not isinstance(error, Exception):
            clear_attempts_of_stopped(job.run)
        raise
    finally:
        del _OPEN[job.run.run_id]
        if on_end is not None:
            on_end(job.run)


def _address(
    request: Request, layout: SinkLayout, plan: Plan, run_id: str, now: datetime, lease: Lease
) -> Run:
    """What every process of the run finds its plan, parts and lease by."""
    return Run(
        run_id=run_id,
        started=now.isoformat(timespec="milliseconds"),  # orders the records of one second
        sink=request.sink,
        result_key=plan.result_key,
        generation=lease.generation,
        work_dir=_work_dir(request, layout, plan),
        storage_options=dict(request.storage_options),
        interval=request.interval.name if request.interval else None,
        interval_label=request.interval.label if request.interval else "",
        series_seconds=request.series_seconds,
        stall_seconds=request.stall_seconds,
        reason=request.reason,
    )


def _publisher(layout: SinkLayout, interval: str | None) -> str | None:
    """Id of the run that published an interval; None if it is not published."""
    record = read_intervals(layout, [interval]).get(interval) if interval else None
    return record.run_id if record else None


def _warn(layout: SinkLayout, plan: Plan, text: str) -> None:
    """Log and report a warning, if anything is left to calculate."""
    if text and missing_of_plan(layout, plan):
        log.warning("%s", text)
        emit(Progress("plan", note=text))


def new_run_id(now: datetime) -> str:
    """An id that no other run has, and that sorts by the start of the run.

    The first three of its last eight digits are 4,096ths of the second.

    Examples
    --------
    >>> new_run_id(datetime(2026, 11, 20, 6, 0, 0, 500_000))[:-5]
    '20261120T060000-800'
    """
    return f"{now:%Y%m%dT%H%M%S}-{now.microsecond * 4096 // 10**6:03x}{uuid.uuid4().hex[:5]}"


def stop_workers(run: Run, reason: str) -> None:
    """Release the lease of a job of this process, so that its workers stop between blocks."""
    if run.run_id in _OPEN:
        _OPEN[run.run_id].lease.release(reason)


def stop_jobs(sink: str, reason: str) -> None:
    """Stop the workers of all jobs of this process that write to a sink."""
    for job in [one for one in list(_OPEN.values()) if one.request.sink == sink]:
        try:
            job.lease.release(reason)
        except Exception:  # the others must still be stopped
            log.exception("the lease of run %s could not be released", job.run.run_id)


def _give_leases_back() -> None:
    """Let others write at once to what this process wrote to."""
    for job in list(_OPEN.values()):
        with suppress(Exception):
            job.lease.release("the process was ended by force")


at_forced_end(_give_leases_back)


def wait_to_publish(run: Run) -> None:
    """Wait until it is this job's turn to publish."""
    _OPEN[run.run_id].turn.wait()


def _work_dir(request: Request, layout: SinkLayout, plan: Plan) -> str:
    if request.work_dir is None:
        return layout.key(plan.result_key).work.url
    return f"{request.work_dir.rstrip('/')}/{layout.spill_prefix}{plan.result_key[:16]}"
