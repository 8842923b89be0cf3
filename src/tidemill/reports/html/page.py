"""The whole page of a report."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from tidemill.reports.html.collect import RunFacts
from tidemill.reports.html.markup import Markup, joined, tag, text
from tidemill.reports.html.run_sections import (
    calculated,
    checks,
    headline,
    left_out,
    times,
)
from tidemill.reports.html.table_sections import ids, key_figures, moved, numbers

__all__ = ["page"]

#: Nothing in the page may run, be loaded, or be sent: browsers hold to that, whatever it contains.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(facts: RunFacts) -> str:
    """The report of a run.

    Examples
    --------
    >>> from tidemill.execution.verdicts import verdict_of
    >>> from tidemill.storage.record import RunRecord
    >>> record = RunRecord("a", "2030-01-01T00:00:00+00:00", state="failed", message="no <file>")
    >>> "no &lt;file&gt;</h1>" in page(RunFacts(record, verdict_of(record)))
    True
    """
    record = facts.record
    title = " · ".join(
        filter(None, (_name(record.sink), record.interval_label, facts.verdict.text))
    )
    return _PAGE.format(
        policy=POLICY, title=text(title), style=_style(), body=joined(_body(facts), "\n")
    )


def _name(sink: str) -> str:
    return sink.rstrip("/").rpartition("/")[2]


def _body(facts: RunFacts) -> list[Markup | None]:
    record, history = facts.record, facts.history
    about_run = [calculated(facts), checks(record)]
    sections: list[Markup | None] = [tag("div", *about_run, class_="pair"), *left_out(record)]
    if history is not None:
        sections.insert(0, key_figures(facts, history))
    if history is not None and record.acceptance:
        sections.append(moved(facts, history))
    if history is not None and facts.ids is not None and len(history.slots) > 1:
        sections.append(ids(history, facts.ids))
    sections.append(times(record))
    if history is not None:
        sections.append(numbers(facts, history))
    return [headline(facts), tag("main", *sections), _footer(facts)]


def _footer(facts: RunFacts) -> Markup:
    versions = ", ".join(f"{name} {version}" for name, version in facts.record.versions.items())
    return tag("footer", "Made by tidemill from the record of the run. ", versions)


@cache
def _style() -> str:
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")
