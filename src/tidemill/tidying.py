"""Remove what a run leaves behind once it is recorded; only the sink's one writer may call this."""

from __future__ import annotations

from tidemill.partition import drop_spill
from tidemill.plan import Plan
from tidemill.run import Run
from tidemill.storage.markers import attempts, clear_attempts, committed
from tidemill.storage.publish import drop_parts
from tidemill.storage.stores import Store
from tidemill.storage.streams import drop_unfinished

__all__ = ["tidy"]


def tidy(run: Run, plan: Plan) -> None:
    """Remove spill, the state of older results, and what killed processes left unfinished."""
    _drop_work(run, plan)
    clear_attempts(run.key, attempts(run.key))
    run.layout.forget(keep=run.result_key)
    _drop_uncommitted(run)
    drop_parts(run.layout, run.key)


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
