"""Publish rows that somebody else calculated, as a run publishes its own.

The owner of the rows opens the sink, whoever holds a share of them writes it as a part, and the
owner publishes all parts at once. Lease, part files, commit markers, transaction, run record and
cleanup are those of a run; there is no input, so nothing is planned and nothing resumed.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.calculators.settings import Settings
from tidemill.errors import SinkError, shorten
from tidemill.execution.cleanup import sweep, tidy
from tidemill.execution.job import new_run_id
from tidemill.execution.plans import record_plan
from tidemill.execution.records import (
    RunSummary,
    finished_record,
    summary_of,
    totals_of,
    write_failure,
)
from tidemill.execution.verify import check_rows
from tidemill.model.digests import RowSum, content_digest
from tidemill.model.feature_names import parse
from tidemill.model.plan import Part, Plan
from tidemill.model.policies import Policies
from tidemill.model.source import ColumnRoles, Source, SourceFile
from tidemill.model.versions import versions
from tidemill.planning.prepare import result_key
from tidemill.storage.check_columns import check_columns
from tidemill.storage.check_sink import check_sink
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.markers import (
    Marker,
    commit_part,
    committed,
    discard_markers,
    find_unlisted,
)
from tidemill.storage.part_writer import PartWriter, part_schema
from tidemill.storage.publish import publish
from tidemill.storage.record import write_record
from tidemill.storage.run_address import Run

__all__ = ["RowsJob", "write_rows"]

#: Rows that are written at a time hold about so many cells.
TILE_CELLS = 4 * 2**20


@dataclass(frozen=True, slots=True)
class RowsJob:
    """One attempt to publish rows, as the only writer of their sink; small, to be sent around."""

    run: Run
    plan: Plan  # of parts without an input

    @classmethod
    @contextmanager
    def open(
        cls,
        sink: str,
        *,
        name: str,
        ids: Mapping[str, pa.DataType],
        columns: Sequence[str],
        n_parts: int,
        cluster: str,
        storage_options: Mapping[str, str] | None = None,
        wait_for_sink: float = 0.0,
    ) -> Iterator[Self]:
        """Become the only writer of a table.

        Parameters
        ----------
        sink : folder or URL of the table
        name : of the rows, for the record
        ids : id columns and the types in which ids are written
        columns : feature columns
        n_parts : shares of the rows
        cluster : who writes them, for the record
        storage_options : option to name of the environment variable that holds its value
        wait_for_sink : seconds to wait while another run is the writer

        Raises
        ------
        InputError
            If a column is no feature column, or the table cannot hold it.
        SinkError
            If the sink holds something else, or another live run owns it.
        """
        layout = SinkLayout.of(sink, storage_options)
        if layout.kind == "file":
            raise SinkError(
                f"the sink {layout.url} is one file, which several workers cannot write; give the "
                "folder or URL of a table"
            )
        check_sink(layout)
        check_columns(layout, list(ids), columns)
        settings = Settings.from_columns(columns)
        now = datetime.now(UTC)
        run_id = new_run_id(now)
        plan = _plan(name, ids, columns, settings, n_parts, run_id)
        owner = f"{getpass.getuser()} (cluster={cluster})"
        with acquire(layout.lease, owner=owner, run_id=run_id, wait_seconds=wait_for_sink) as lease:
            run = Run(
                run_id=run_id,
                started=now.isoformat(timespec="milliseconds"),
                sink=sink,
                result_key=plan.result_key,
                generation=lease.generation,
                work_dir=layout.key(plan.result_key).work.url,
                storage_options=dict(storage_options or {}),
            )
            sweep(run)
            record_plan(run, plan)
            try:
                yield cls(run, plan)
            except BaseException as error:
                write_failure(run, plan, error, cluster)
                raise

    def publish(self, facts: Mapping[str, Any]) -> RunSummary:
        """Make the table show the parts, which must all be there, and record the run.

        Parameters
        ----------
        facts : ``cluster``, ``threads``, ``task_runs`` and ``seconds`` (by step) of the attempt

        Raises
        ------
        LeaseLostError, SinkError
            If another run owns the sink or wrote to it; nothing is published.
        """
        run, plan, view = self.run, self.plan, self.run.lease_view()
        began = time.perf_counter()
        markers = self._markers()
        check_rows(markers)
        published = publish(
            run.layout,
            run.key,
            markers,
            part_schema(plan),
            run_id=run.run_id,
            digest=content_digest(
                (RowSum.from_text(one.digest) for one in markers),
                plan.columns,
                "; ".join(plan.source.id_types),
            ),
            check=lambda: view.check(now=True),
        )
        facts = {**facts, "seconds": {**facts["seconds"], "reduce": time.perf_counter() - began}}
        record = finished_record(run, plan, published, totals_of(run, markers), facts)
        write_record(run.layout, record)
        view.check(now=True)  # the cleanup deletes files, but never those of another run
        empty = {marker.index for marker in markers if not marker.rows}
        discard_markers(run.key, empty)  # no table lists their files, which nobody resumes from
        tidy(run, plan, [marker for marker in markers if marker.index not in empty])
        return summary_of(run, record, published, facts)

    def _markers(self) -> list[Marker]:
        key, indexes = self.run.key, [part.index for part in self.plan.parts]
        found = committed(key)
        found |= find_unlisted(key, [index for index in indexes if index not in found])
        if missing := [index for index in indexes if index not in found]:
            raise SinkError(
                f"parts {shorten(missing)} of {len(indexes)} are missing, although their workers "
                "wrote them: make sure that all of them reach the same storage, and run again"
            )
        return [found[index] for index in indexes]


def write_rows(job: RowsJob, index: int, ids: pa.Array, rows: npt.NDArray[np.float64]) -> Marker:
    """Write a share of the rows as a part and commit it.

    Parameters
    ----------
    job : whose part it is
    index : of the part
    ids : [k], of the types that the job was opened with; composite ids as structs
    rows : float64[k, m]

    Raises
    ------
    LeaseLostError
        If the job no longer owns its sink.
    """
    view, key = job.run.lease_view(), job.run.key
    view.check(now=True)
    began, name = time.perf_counter(), key.part(index)
    step = max(TILE_CELLS // max(rows.shape[1], 1), 1)
    with key.data.open_output(name) as sink, PartWriter(sink, job.plan) as writer:
        for first in range(0, len(rows), step):
            writer.write(ids[first : first + step], rows[first : first + step])
            view.check()
    lower, upper = writer.id_range
    return commit_part(
        key,
        Marker(
            index=index,
            path=name,
            rows=writer.rows,
            bytes=writer.file.size,
            checksum=writer.file.checksum,
            seconds=time.perf_counter() - began,
            digest=writer.digest.text,
            lower=lower,
            upper=upper,
            run_id=job.run.run_id,
            input_rows=writer.rows,
        ),
    )


def _plan(
    name: str,
    ids: Mapping[str, pa.DataType],
    columns: Sequence[str],
    settings: Settings,
    n_parts: int,
    run_id: str,
) -> Plan:
    """A plan of parts without an input; its key is that of this attempt alone."""
    kinds = tuple(dict.fromkeys(parse(column)[0] for column in columns))
    labels = tuple(ids)
    roles = ColumnRoles(labels[0] if len(labels) == 1 else labels, None, None, ())
    types = tuple(map(str, ids.values()))
    source = Source(
        url="dask",
        format="parquet",
        files=(SourceFile(name, 0, "", "", 0, 0),),
        columns=roles,
        id_type=types[0] if len(types) == 1 else types,
        kinds=kinds,
        storage_options={},
        fingerprint=run_id,
    )
    canonical, policies = settings.canonical(), Policies()
    return Plan(
        result_key=result_key(source, canonical, {}),
        source=source,
        settings=canonical,
        policies=policies,
        layout="clustered",
        parts=tuple(Part(index, None, None, (), 0, 0, 0, 0.0) for index in range(n_parts)),
        columns=tuple(columns),
        features={kind: settings.features_for(kind) for kind in kinds},
        versions=versions(),
    )
