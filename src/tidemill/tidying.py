"""Remove what a run leaves behind once it is recorded; only the sink's one writer may call this."""

from __future__ import annotations

from tidemill.partition import drop_spill
from tidemill.plan import Plan
from tidemill.run import Run
from tidemill.storage.layout import KeyLayout
from tidemill.storage.markers import attempts, clear_attempts, committed
from tidemill.storage.publish import drop_parts
from tidemill.storage.stores import Store
from tidemill.storage.streams import drop_unfinished

__all__ = ["tidy"]


def tidy(run: Run, plan: Plan) -> None:
    """Remove spill, the state of older results, and what killed processes left unfinished."""
    _drop_work(run, plan)
    clear_attempts(run.key, attempts(run.key))
    if plan.interval is None:
        run.layout.forget(keep=run.result_key)
    _drop_uncommitted(run)
    drop_parts(run.layout, run.key)
    if plan.interval is not None:
        _forget_interval(run, plan.interval.name)


def _forget_interval(run: Run, interval: str) -> None:
    """Remove the state of an interval's results: its record says what is published.

    The state of other intervals stays: theirs may have failed, and go on from their parts.
    """
    keys = run.layout.state.child("keys")
    for folder in keys.folder()[1]:
        if _interval_of(keys, folder) == interval:
            keys.delete_all(f"{folder}/{KeyLayout.markers}")
            keys.delete_all(folder)


def _interval_of(keys: Store, folder: str) -> str | None:
    try:
        found = Plan.from_json(keys.read(f"{folder}/{KeyLayout.plan}")).interval
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return found.name if found else None


def _drop_work(run: Run, plan: Plan) -> None:
    """Remove the spill of this run, and that of results this sink was asked for before."""
    drop_spill(plan, run.work_dir)
    parent, _, name = run.work_dir.rpartition("/")
    prefix = name[: -len(run.result_key[:16])]
    if not prefix.startswith("tidemill-"):
        return  # beside the sink: it goes with the state of its result
    around = Store.open(parent, run.storage_options if "://" in parent else None)
    for folder in around.folder()[1]:
        if folder.startswith(prefix):
            around.delete_all(folder)


def _drop_uncommitted(run: Run) -> None:
    """Remove part files of this result that no marker names, and unfinished ones."""
    key = run.key
    named = {marker.path for marker in committed(key).values()}
    for entry in key.data.folder()[0]:
        if key.is_part(entry.path) and entry.path not in named:
            key.data.delete(entry.path)
    for store, pattern in ((run.layout.home, run.layout.name), (key.data, "part-*.parquet")):
        folder = store.local_path()
        if folder is not None and pattern:
            drop_unfinished(folder, pattern)
