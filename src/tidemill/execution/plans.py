"""The recorded plan of a run: written once, read by every process, and which parts are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from threading import RLock

from tidemill.calculators.custom import import_modules
from tidemill.errors import SinkError, TidemillError
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.model.source import Source
from tidemill.planning.plan_json import modules_of_plan, plan_from_json, plan_to_json
from tidemill.sources.files.fingerprint import is_by_content, is_other_state
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.markers import committed
from tidemill.storage.publish import Published, last_published
from tidemill.storage.run_address import Run
from tidemill.storage.stores import Store

__all__ = [
    "already_published",
    "input_name",
    "is_shown",
    "load_plan",
    "missing_of_plan",
    "missing_parts",
    "record_plan",
]

log = engine_log(__name__)

#: Plans that a process keeps.
REMEMBERED = 4

_loaded: dict[str, Plan] = {}  # by the address of the run
_reading = RLock()


def load_plan(run: Run) -> Plan:
    """The plan of a run, read once per process; the modules of its custom calculators imported."""
    address = json.dumps(asdict(run))
    with _reading:
        if address not in _loaded:
            text = run.key.state.read(run.key.plan)
            with _readable(run.key):
                import_modules(modules_of_plan(text))
                _remember(address, plan_from_json(text))
        return _loaded[address]


@contextmanager
def _readable(key: KeyLayout) -> Iterator[None]:
    """Say what to do about a plan that was damaged since it was recorded."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, TidemillError):
            raise
        raise SinkError(
            f"{key.state.url_of(key.plan)} is damaged ({error}): run again, which makes the plan "
            "anew"
        ) from error


def _remember(address: str, plan: Plan) -> None:
    """Keep the plans of the last runs."""
    _loaded[address] = plan
    while len(_loaded) > REMEMBERED:
        del _loaded[next(iter(_loaded))]


def record_plan(run: Run, plan: Plan) -> Plan:
    """Write the plan where workers read it; the plan that holds.

    Parts are a pure function of source and settings, but also of part_bytes and of the version of
    tidemill. Where parts are committed already, the rest is finished as they were cut; if the same
    rows lie in other files since, by way of the partition step. Markers
    without a plan that can be read say nothing about ids, so they go before the plan is written.
    """
    key = run.key
    recorded = _recorded_plan(key)
    if recorded is not None and _was_replaced(recorded.source, plan.source):
        log.warning("the input was replaced since the last attempt; all parts are calculated again")
        recorded = None
        where = plan.source.storage_options if "://" in run.work_dir else {}
        Store.open(run.work_dir, where).delete_all()  # what was spilled of the earlier input
    if recorded is None:
        key.state.delete_all(key.markers)
    elif committed(key):
        if recorded.parts != plan.parts:
            log.warning("going on with the %d parts that were recorded first", len(recorded.parts))
        parts, layout = recorded.parts, recorded.layout
        if _files(recorded) != _files(plan):  # the same rows in other places
            parts, layout = tuple(replace(part, spans=()) for part in parts), "spilled"
        # What is kept may be replaced already, if an attempt ended right after it published.
        plan = replace(
            plan,
            parts=parts,
            layout=layout,
            kept=recorded.kept,
            features=recorded.features,
        )
    key.state.write(key.plan, plan_to_json(plan).encode())
    with _reading:
        _remember(json.dumps(asdict(run)), plan)
    return plan


def _files(plan: Plan) -> list[tuple[str, int, str]]:
    """What identifies the input's files; the fingerprint of a window only covers its rows."""
    return [(file.path, file.size, file.digest) for file in plan.source.files]


def _was_replaced(before: Source, now: Source) -> bool:
    """Whether a file took the place of one with its size and times, which the key cannot tell.

    The digest of a content or of a window's rows can.
    """
    if now.window is not None:
        return False
    states = {file.path: file.state for file in before.files if not is_by_content(file)}
    return before.url == now.url and any(
        is_other_state(states.get(file.path, ""), file.state) for file in now.files
    )


def _recorded_plan(key: KeyLayout) -> Plan | None:
    """The plan of an earlier attempt; None if there is none or it is damaged."""
    try:
        return plan_from_json(key.state.read(key.plan))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        log.warning("%s/%s is damaged (%s); starting over", key.state.url, key.plan, error)
        return None


def missing_parts(run: Run) -> list[int]:
    """Indexes of parts without a commit marker; none if a file sink shows the result already."""
    return missing_of_plan(run.layout, load_plan(run), again=run.again)


def missing_of_plan(layout: SinkLayout, plan: Plan, *, again: bool = False) -> list[int]:
    """As :func:`missing_parts`, before the plan is recorded."""
    shown = None if again else last_published(layout)
    if shown is not None and already_published(layout, plan.result_key, shown):
        return []
    done = committed(layout.key(plan.result_key))
    return [part.index for part in plan.parts if part.index not in done]


def already_published(layout: SinkLayout, result_key: str, shown: Published) -> bool:
    """Whether a file sink holds this result already; its parts are gone once it does."""
    return layout.kind == "file" and shown.result_key == result_key


def is_shown(run: Run) -> bool:
    """Whether a file sink holds the result of this run already."""
    shown = last_published(run.layout)
    return shown is not None and already_published(run.layout, run.result_key, shown)


def input_name(source: Source) -> str:
    """Path or URL of the input: of its file, of the folder of several files, or of a database."""
    if source.origin:
        return source.origin
    return f"{source.url}/{source.files[0].path}" if len(source.files) == 1 else source.url
