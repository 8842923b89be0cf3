"""Quarantine over several runs: poison is tried again, and an id's quarantine has an age."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tidemill.execution.carryover import MISSING
from tidemill.execution.plans import missing_parts
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.model.series import Quarantined
from tidemill.planning.quarantine import made_with, parts_of_ids, why_again
from tidemill.storage.intervals import IntervalRecord, latest_interval, read_intervals
from tidemill.storage.markers import Marker, committed, discard_markers, suspect_next
from tidemill.storage.record import RunRecord, history, quarantined_by
from tidemill.storage.run_address import Run

__all__ = ["retry_poison", "with_ages"]

log = engine_log(__name__)

#: Run records among which the last finished one is looked for.
RECENT = 16


def retry_poison(run: Run, plan: Plan, *, asked: bool, shown: bool) -> Run:
    """Discard what is to be calculated again for its poison; the run that does so.

    Poison is tried again if that is asked for, or if versions changed since it was quarantined.
    Parts in which it is expected, here or since the last run, are isolated from the start: so a
    series that is still poison costs no worker.

    Parameters
    ----------
    run, plan : of the lease's owner, before its workers start
    asked : try poison again even if nothing changed
    shown : a file sink holds the result already
    """
    markers = committed(run.key)
    again = [marker for marker in markers.values() if _reason(marker, asked=asked)]
    for marker in again:
        log.info("part %d: %s", marker.index + 1, _reason(marker, asked=asked))
    if again:
        discard_markers(run.key, [marker.index for marker in again])
    run = _retry_file(run, plan, asked=asked) if shown else run
    poison = [one.id for one in _earlier(run, plan).values() if one.is_poison]
    expected = {marker.index for marker in again} | parts_of_ids(plan, map(str, poison))
    for index in sorted(expected & set(missing_parts(run))) if expected else ():
        suspect_next(run.key, [index], run.run_id)
    return run


def _reason(marker: Marker, *, asked: bool) -> str:
    """Why a committed part is calculated again; "" if it is not."""
    poison = marker.poison
    return why_again(len(poison), marker.made_with, made_with(), asked=asked) if poison else ""


def _retry_file(run: Run, plan: Plan, *, asked: bool) -> Run:
    """The run that makes the result that a file sink shows again, if it has poison."""
    record = _last_finished(run)
    if record is None or record.result_key != plan.result_key:
        return run
    poison = [one for one in record.quarantined if one.is_poison]
    reason = why_again(len(poison), record.versions, made_with(), asked=asked) if poison else ""
    if reason:
        log.info("%s", reason)
    return replace(run, again=bool(reason))


def with_ages(run: Run, plan: Plan, quarantined: Sequence[Quarantined]) -> list[Quarantined]:
    """The ids with the time of their first quarantine, oldest first.

    An id that was quarantined in the last run, or in the interval before, is so since then.
    """
    if not quarantined:
        return []
    earlier = _earlier(run, plan)
    aged = [_aged(one, earlier.get(str(one.id)), run.started) for one in quarantined]
    return sorted(aged, key=lambda one: one.since)


def _aged(now: Quarantined, before: Quarantined | None, started: str) -> Quarantined:
    if before is None:
        return replace(now, since=started)
    if now.reason == MISSING:  # it has no row because of the earlier quarantine
        return before
    return replace(now, since=before.since)


def _earlier(run: Run, plan: Plan) -> Mapping[str, Quarantined]:
    """The ids that were quarantined before, by their text, with the time of it."""
    found: dict[str, Quarantined] = {}
    for ids, when in _records_before(run, plan):
        for one in ids:
            found[str(one.id)] = one if one.since else replace(one, since=when)
    return found


def _records_before(run: Run, plan: Plan) -> Iterator[tuple[Iterable[Quarantined], str]]:
    """What was quarantined, and when that was recorded; the record that counts most is last."""
    if plan.interval is None:
        record = _last_finished(run)
        if record is not None:
            yield record.quarantined, record.finished
        return
    before = latest_interval(run.layout, plan.interval)
    same = read_intervals(run.layout, [plan.interval.name]).get(plan.interval.name)
    for interval in (before, same):
        if interval is not None:
            yield _of_interval(run, interval), interval.published


def _of_interval(run: Run, record: IntervalRecord) -> Sequence[Quarantined]:
    if record.made_with:
        return record.quarantined
    return quarantined_by(run.layout, record.run_id)  # recorded by version 0.1.0


def _last_finished(run: Run) -> RunRecord | None:
    found = (record for record in history(run.layout, RECENT) if record.state == "finished")
    return next(found, None)
