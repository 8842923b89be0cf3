"""The command ``tidemill status``: tables, and what a Prefect server knows of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.cli.logs import show_logs
from tidemill.cli.stopping import stoppable
from tidemill.errors import TidemillError
from tidemill.model.durations import parse_duration
from tidemill.recurring.table_status import TableStatus, table_status
from tidemill.reports.metrics import metrics_text
from tidemill.reports.status_text import age_text, status_details, status_lines
from tidemill.storage.layout import SinkLayout
from tidemill.storage.stores import Store

if TYPE_CHECKING:
    from tidemill.orchestration.table_runs import DeployedRun, ServerLook

__all__ = ["StatusReport", "status_report"]

_READERS = 8


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The status of some tables, and what is to be told of it."""

    tables: Sequence[tuple[TableStatus, Sequence[DeployedRun]]]
    server: ServerLook
    max_seconds: float | None  # that the last good interval may be old; None: without a limit

    @property
    def faults(self) -> list[str]:
        """Why the command ends with status 1, a sentence for each table."""
        return [text for status, _ in self.tables if (text := self._fault(status))]

    def _fault(self, status: TableStatus) -> str:
        if status.problem:
            return f"{status.sink}: {status.problem}"
        if status.age_seconds is None:
            return f"{status.sink}: none of its rows are as recorded"
        if self.max_seconds is not None and status.is_older_than(self.max_seconds):
            age, allowed = age_text(status.age_seconds), age_text(self.max_seconds)
            return f"{status.sink}: the last good rows are {age} old, more than {allowed}"
        return ""

    def text(self, *, verbose: bool) -> str:
        """A line for each table; everything about a single one, or if that is asked for."""
        if len(self.tables) > 1 and not verbose:
            return status_lines(self.tables)
        found = [
            status_details(status, runs, self._about_server(runs)) for status, runs in self.tables
        ]
        return "\n\n".join([status_lines(self.tables), *found] if len(found) > 1 else found)

    def _about_server(self, runs: Sequence[DeployedRun]) -> str:
        if not self.server.url:
            return "not known: no Prefect server is configured (PREFECT_API_URL)"
        if self.server.fault:
            return f"not known: the Prefect server {self.server.url}: {self.server.fault}"
        return "" if runs else f"none: no deployment on {self.server.url} writes to it"

    def write_metrics(self, path: str) -> None:
        """Write the gauges of all tables; whoever reads the file gets the old ones or the new.

        Raises
        ------
        OSError
            If the file cannot be written; then it is as it was.
        """
        text = metrics_text([status for status, _ in self.tables])
        folder = Path(path).absolute().parent.resolve(strict=True)  # a store would make it
        Store.open(folder).write(Path(path).name, text.encode())
        (folder / Path(path).name).chmod(0o644)  # another user collects it

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        tables = [
            {**one.to_json(), "runs": [asdict(run) for run in runs], "fault": self._fault(one)}
            for one, runs in self.tables
        ]
        return {"server": {"url": self.server.url, "fault": self.server.fault}, "tables": tables}


def status_report(
    tables: Sequence[str], storage_options: Mapping[str, str], max_age: str | None = None
) -> StatusReport:
    """Read the status of tables, and ask the server that is configured, if any.

    Parameters
    ----------
    tables : paths or URLs
    storage_options : for all of them
    max_age : a duration such as "26h" that the last good interval may be old

    Raises
    ------
    ArgumentError
        If `max_age` is not a duration.
    """
    most = parse_duration("max_age", max_age) / 1e9 if max_age is not None else None
    with stoppable(), ThreadPoolExecutor(_READERS, "tidemill-status") as pool:
        found = pool.map(lambda one: table_status(one, storage_options), tables)
        urls = [_url(one) for one in tables]
        server = _ask_server(urls)
        pairs = [
            (status, [run for run in server.runs if run.sink == url])
            for status, url in zip(found, urls, strict=True)
        ]
    return StatusReport(pairs, server, most)


def _url(table: str) -> str:
    try:
        return SinkLayout.of(table).url
    except TidemillError:
        return ""  # its status says what is wrong with it


def _ask_server(urls: Sequence[str]) -> ServerLook:
    show_logs()
    from tidemill.orchestration.table_runs import runs_of_tables

    return runs_of_tables([one for one in urls if one])
