"""The reports of a sink's runs: an HTML file each, for people; nothing depends on them."""

from __future__ import annotations

from collections.abc import Collection

from tidemill.storage.layout import SinkLayout

__all__ = ["neighbours", "read_report", "report_path", "reported_runs", "write_report"]

_SUFFIX = ".html"


def report_path(run_id: str) -> str:
    """Name of the file of a run's report, below ``SinkLayout.reports``."""
    return f"{run_id}{_SUFFIX}"


def reported_runs(layout: SinkLayout) -> frozenset[str]:
    """Ids of the runs that have a report.

    Examples
    --------
    >>> import tempfile
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix")
    >>> write_report(layout, "20300101T000000-a", "<p>fine</p>")
    >>> reported_runs(layout), read_report(layout, "20300101T000000-a")
    (frozenset({'20300101T000000-a'}), '<p>fine</p>')
    """
    names = layout.reports.names()
    return frozenset(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def neighbours(run_id: str, runs: Collection[str]) -> tuple[str | None, str | None]:
    """The runs that started right before and right after one; ids sort by the second of the start.

    Examples
    --------
    >>> neighbours("b", {"a", "b", "c", "d"}), neighbours("a", set())
    (('a', 'c'), (None, None))
    """
    before = max((one for one in runs if one < run_id), default=None)
    return before, min((one for one in runs if one > run_id), default=None)


def read_report(layout: SinkLayout, run_id: str) -> str:
    """The report of a run; ``FileNotFoundError`` if there is none."""
    return layout.reports.read(report_path(run_id)).decode()


def write_report(layout: SinkLayout, run_id: str, page: str) -> None:
    """Write the report of a run, over an earlier one."""
    layout.reports.write(report_path(run_id), page.encode(), "text/html; charset=utf-8")
