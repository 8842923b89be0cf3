"""Clean up after a run is recorded; only the lease's owner may do this."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidemill.execution.spill import drop_spill
from tidemill.model.plan import Plan
from tidemill.planning.plan_json import interval_of_plan
from tidemill.planning.snapshots import drop_source
from tidemill.storage.layout import KeyLayout
from tidemill.storage.markers import Marker, attempts, clear_attempts, committed
from tidemill.storage.publish import drop_parts
from tidemill.storage.run_address import Run
from tidemill.storage.stores import Store
from tidemill.storage.streams import drop_staged, drop_unfinished

__all__ = ["sweep", "tidy"]


def sweep(run: Run) -> None:
    """Remove unfinished files of killed processes before a run writes its own: they take room."""
    _drop_unfinished(run, "part-*.parquet" if run.interval is None else run.key.part_pattern)
    state, own = run.layout.state.local_path(), run.key.state.local_path()
    if state is None or own is None:
        return
    if run.interval is None:
        drop_staged(state)
        return
    drop_staged(own)  # other intervals' runs look after theirs: there may be thousands
    for folder in (state, *(one for one in state.iterdir() if one.is_dir())):
        drop_staged(folder, below=False)
    drop_staged(state / "lease" / run.interval, below=False)


def tidy(run: Run, plan: Plan, published: Iterable[Marker]) -> None:
    """Remove spill, snapshot, state of older results, and unfinished files of killed processes.

    The files of the published markers stay, whatever listings show.
    """
    kept = frozenset(marker.path for marker in published)
    drop_spill(plan, run.work_dir)
    drop_source(plan.source)
    clear_attempts(run.key, attempts(run.key))
    if plan.interval is None:
        _drop_work(run)
        run.layout.forget(keep=run.result_key)
        _drop_uncommitted(run, "part-*.parquet", kept)
        drop_parts(run.layout, run.key)
    else:
        _drop_uncommitted(run, run.key.part_pattern, kept)
        _forget_interval(run, plan.interval.name)


def _forget_interval(run: Run, interval: str) -> None:
    """Remove the state of an interval's results, because its record describes what is published.

    The state of other intervals is kept: other runs may be working on them, and those that failed
    resume from their parts.
    """
    keys = run.layout.state.child("keys")
    intervals = {folder: _interval_of(keys, folder) for folder in keys.folder()[1]}
    for folder, name in intervals.items():
        state = keys.local_path(folder)
        if name is None and state is not None:  # its writer may have been killed at its plan
            drop_staged(state, below=False)
    own = [folder for folder, name in intervals.items() if name == interval]
    _drop_work(run, own)
    for folder in own:
        # Nobody else looks for what a killed writer left of a result that was replaced since.
        _drop_unfinished(run, run.layout.key(folder).part_pattern)
        keys.delete_all(f"{folder}/{KeyLayout.markers}")
        for below in keys.child(folder).folder()[1]:
            keys.delete_all(f"{folder}/{below}")
        keys.delete_all(folder)  # with the plan, by which a run that goes on after a kill finds it


def _interval_of(keys: Store, folder: str) -> str | None:
    try:
        found = interval_of_plan(keys.read(f"{folder}/{KeyLayout.plan}"))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return found.name if found else None


def _drop_work(run: Run, keys: Collection[str] | None = None) -> None:
    """Remove the spill of this sink's earlier results, or only that of some keys."""
    parent, _, name = run.work_dir.rpartition("/")
    prefix = name[: -len(run.result_key[:16])]
    if not prefix.startswith("tidemill-"):
        return  # next to the sink: removed with the state of its result
    around = Store.open(parent, run.storage_options if "://" in parent else None)
    for folder in around.folder()[1]:
        if folder.startswith(prefix) and (keys is None or folder.removeprefix(prefix) in keys):
            around.delete_all(folder)


def _drop_uncommitted(run: Run, pattern: str, kept: frozenset[str]) -> None:
    """Remove this result's part files without a marker, and unfinished files of a pattern."""
    key = run.key
    named = kept | {marker.path for marker in committed(key).values()}
    for name in key.data.names(**key.part_span):
        if key.is_part(name) and name not in named:
            key.data.delete(name)
    _drop_unfinished(run, pattern)


def _drop_unfinished(run: Run, pattern: str) -> None:
    for store, names in ((run.layout.home, run.layout.name), (run.key.data, pattern)):
        folder = store.local_path()
        if folder is not None and names:
            drop_unfinished(folder, names)
