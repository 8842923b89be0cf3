"""The command ``tidemill report``: make the HTML report of a run again, and show it."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path

import click

from tidemill.cli.stopping import stoppable
from tidemill.errors import ArgumentError, shorten
from tidemill.reports.html.write import make_report
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord, history, records_of_runs
from tidemill.storage.reports import read_report, report_path

__all__ = ["report_again"]

#: Runs named if there is none of the id that was asked for.
NAMED = 5


def report_again(
    table: str, run_id: str | None, options: Mapping[str, str], *, opens: bool = False
) -> str:
    """Write the report of a run anew, from what the records say now; its address.

    Parameters
    ----------
    table : the sink
    run_id : the run; None: the newest one that has ended
    options : storage options
    opens : show it in the browser of this machine

    Raises
    ------
    ArgumentError
        If there is no record of the run.
    click.ClickException
        If there is no browser.
    """
    layout = SinkLayout.of(table, options)
    with stoppable():
        record = _record(layout, table, run_id)
        address = make_report(layout, record)
        if opens:
            _open(_local(layout, record.run_id))
        return address


def _record(layout: SinkLayout, table: str, run_id: str | None) -> RunRecord:
    newest = history(layout, NAMED)
    if not newest:
        raise ArgumentError(f"{table!r} has no run record; nothing was extracted into it yet")
    if run_id is None:
        return newest[0]
    found = records_of_runs(layout, [run_id]).get(run_id)
    if found is None:
        known = shorten(record.run_id for record in newest)
        raise ArgumentError(
            f"--run={run_id!r} has no record at {table!r}; the newest runs are {known}; "
            "`tidemill inspect` shows more"
        )
    return found


def _local(layout: SinkLayout, run_id: str) -> Path:
    """The report as a file on this machine, of object storage a copy."""
    path = layout.reports.local_path(report_path(run_id))
    if path is not None:
        return path
    copy = Path(tempfile.mkdtemp(prefix="tidemill-report-")) / report_path(run_id)
    copy.write_text(read_report(layout, run_id), encoding="utf-8")
    return copy


def _open(path: Path) -> None:
    if not webbrowser.open(path.as_uri()):
        raise click.ClickException(f"no browser was found here; open {path} yourself")
