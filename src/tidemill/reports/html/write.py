"""Write the reports of runs beside their table, and link them with one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from tidemill.errors import TidemillError
from tidemill.execution.verdicts import verdict_of
from tidemill.model.logs import engine_log
from tidemill.reports.html.collect import collect
from tidemill.reports.html.links import Way, linked, report_file
from tidemill.reports.html.page import page
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord, records_of_runs
from tidemill.storage.reports import (
    neighbours,
    read_report,
    report_path,
    reported_runs,
    write_report,
)
from tidemill.storage.run_address import Run

__all__ = ["RunReports", "make_report"]

log = engine_log(__name__)


def make_report(layout: SinkLayout, record: RunRecord) -> str:
    """Write the report of a run, link it with those before and after; its address.

    Parameters
    ----------
    layout : the sink
    record : of the run

    Examples
    --------
    >>> import tempfile
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix")
    >>> for run in ("a", "b"):
    ...     _ = make_report(layout, RunRecord(run, "2030-01-01T00:00:00+00:00", sink=layout.url))
    >>> 'href="b.html"' in read_report(layout, "a"), 'href="a.html"' in read_report(layout, "b")
    (True, True)
    """
    reports = reported_runs(layout)
    before, after = neighbours(record.run_id, reports)
    made = page(collect(layout, record, reports | {record.run_id}))
    made = linked(made, "previous", before) if before else made
    made = linked(made, "next", after) if after else made
    write_report(layout, record.run_id, made)
    _link(layout, before, "next", record.run_id)
    _link(layout, after, "previous", record.run_id)
    return layout.reports.url_of(report_path(record.run_id))


def _link(layout: SinkLayout, run_id: str | None, way: Way, other: str) -> None:
    """Let the report of a run lead to another one."""
    try:
        old = read_report(layout, run_id) if run_id else ""
    except FileNotFoundError:
        return  # deleted meanwhile
    if run_id and (new := linked(old, way, other)) != old:
        write_report(layout, run_id, new)


@dataclass(slots=True)
class RunReports:
    """Writes the report of each run that ends; what goes wrong is logged and fails no run.

    Parameters
    ----------
    url : where the folder of the reports is served; None: links lead to the files
    only_notable : of many runs only those that failed or warn have one, and the last

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from tidemill.execution.in_process import extract_here
    >>> from tidemill.planning.request import make_request
    >>> folder = Path(tempfile.mkdtemp())
    >>> frame = pd.DataFrame({"id": [1, 1, 2], "time": [0, 1, 0], "x": [1.0, 2.0, 3.0]})
    >>> frame.to_parquet(folder / "in.parquet")
    >>> about = {"column_id": "id", "column_sort": "time", "settings": "minimal"}
    >>> request = make_request(folder / "in.parquet", folder / "out", **about)
    >>> reports = RunReports()
    >>> summary = extract_here(request, on_end=reports)
    >>> page = Path(reports.written[summary.run_id]).read_text()
    >>> "Completed:" in page, page.count("<script")
    (True, 0)
    """

    url: str | None = None
    only_notable: bool = False
    written: dict[str, str] = field(default_factory=dict)  # id of a run -> address of the file
    _labels: dict[str, str] = field(default_factory=dict)  # id of a run -> its interval
    _left_out: Run | None = None

    def __call__(self, run: Run) -> None:
        """Write the report of a run that has ended."""
        self._try(run, always=not self.only_notable)

    def links(self) -> list[dict[str, str]]:
        """The reports as JSON values: label of the interval, and address to be followed."""
        base = f"{self.url.rstrip('/')}/" if self.url else None
        return [
            {"label": self._labels[run], "address": f"{base}{report_file(run)}" if base else file}
            for run, file in self.written.items()
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """No more runs follow: the last one gets a report, whatever is to be said of it."""
        if self._left_out is not None:
            self._try(self._left_out, always=True)

    def _try(self, run: Run, *, always: bool) -> None:
        try:
            self._write(run, always=always)
        except (TidemillError, OSError) as error:
            log.warning("the report of run %s was not written: %s", run.run_id, error)
        except Exception:
            log.exception("the report of run %s was not written", run.run_id)

    def _write(self, run: Run, *, always: bool) -> None:
        layout = run.layout
        record = records_of_runs(layout, [run.run_id]).get(run.run_id)
        if record is None:
            return  # it could not be written, and that was logged
        if not always and verdict_of(record).state_name == "Completed":
            self._left_out = run
            return
        self._left_out = None
        self._labels[run.run_id] = run.interval_label
        self.written[run.run_id] = make_report(layout, record)
        log.info("report of run %s: %s", run.run_id, self.written[run.run_id])
