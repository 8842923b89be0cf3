"""Find the published features that stay when an interval gains new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tidemill.calculators.settings import Settings
from tidemill.model.aliases import IdKey
from tidemill.model.id_types import id_key, parse_type
from tidemill.model.logs import engine_log
from tidemill.model.plan import Kept, KeptFile
from tidemill.model.policies import Policies
from tidemill.model.source import Source
from tidemill.planning.settings_change import settings_change
from tidemill.storage.delta import file_bounds, open_table
from tidemill.storage.intervals import IntervalRecord, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.part_files import file_fault

__all__ = ["find_kept"]

log = engine_log(__name__)


def find_kept(
    layout: SinkLayout,
    interval: str,
    source: Source,
    settings: Mapping[str, Any],
    policies: Policies,
    key_of: Callable[[str], str],
) -> Kept | None:
    """Find the published rows of an interval that new features can be added to.

    Parameters
    ----------
    layout, interval : where the rows are published
    source : the interval's input, with the rows of its window counted
    settings, policies : those of the request
    key_of : maps the key of the published result to the key of the result that extends it

    Returns
    -------
    Kept or None
        None if rows or policies changed, features are dropped, or the published files are not
        those of the interval's record, or were damaged since.
    """
    record = read_intervals(layout, [interval]).get(interval)
    if record is None or record.fingerprint != source.fingerprint:
        return None
    change = settings_change(settings, policies, record)
    if not (change and change.only_gains):
        return None
    files = _published_files(layout, interval, source.id_types)
    # The new key too: a run may have ended after it published and before it wrote the record.
    known = [layout.key(key) for key in (record.result_key, key_of(record.result_key))]
    if not files or not any(all(key.is_part(file.path) for file in files) for key in known):
        return None
    if _is_damaged(layout, record):
        return None
    columns = Settings.from_any(record.settings).columns(source.kinds)
    made_of = record.settings, files, columns, record.facts.get("failed_cells", 0)
    return Kept(record.run_id, record.result_key, record.digest, *made_of)


def _is_damaged(layout: SinkLayout, record: IntervalRecord) -> bool:
    """Whether a published file is not the one that was written; the log names it."""
    for one in record.parts:
        if fault := file_fault(layout.home, one.path, one.checksum):
            url = layout.home.url_of(one.path)
            log.warning("%s %s; interval %s is calculated whole", url, fault, record.label)
            return True
    return False


def _published_files(
    layout: SinkLayout, interval: str, id_types: Sequence[str]
) -> tuple[KeptFile, ...]:
    table = open_table(layout)
    bounds = file_bounds(table, interval) if table is not None else {}
    # Part names ascend with their ids.
    if len(id_types) > 1:  # Delta keeps bounds per column, which do not bound the tuples
        return tuple(KeptFile(path) for path in sorted(bounds))
    type_ = parse_type(id_types[0])
    return tuple(
        KeptFile(path, *(_key(bound, type_) for bound in bounds[path])) for path in sorted(bounds)
    )


def _key(bound: pa.Scalar | None, type_: pa.DataType) -> IdKey:
    return None if bound is None or not bound.is_valid else id_key(bound.cast(type_))
