"""Links between the reports of a table's runs: relative ones, to files in the same folder."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote

from tidemill.reports.html.markup import Markup, mono, tag

__all__ = ["Way", "linked", "neighbour_links", "report_file", "run_link"]

Way = Literal["previous", "next"]

_WORDS: dict[Way, tuple[str, str]] = {
    "previous": ("prev", "\u2190 previous run"),
    "next": ("next", "next run \u2192"),
}


def report_file(run_id: str) -> str:
    """Name of the file of a run's report, as a relative link.

    Examples
    --------
    >>> report_file("20261129T231757-2637f344")
    '20261129T231757-2637f344.html'
    """
    return f"{quote(run_id, safe='')}.html"


def run_link(run_id: str, reports: frozenset[str]) -> Markup:
    """A run by its id, with a link if it has a report."""
    name = mono(run_id)
    return tag("a", name, href=report_file(run_id)) if run_id in reports else name


def neighbour_links() -> Markup:
    """The place of the links to the runs before and after, which :func:`linked` fills."""
    return tag("nav", *(_slot(way, "") for way in _WORDS), aria_label="Runs of this table")


def linked(page: str, way: Way, run_id: str) -> str:
    """A page with its link to a neighbour; a page without a place for it stays as it is.

    Text in a page cannot hold the marks of the place: it is escaped.

    Examples
    --------
    >>> linked(neighbour_links(), "next", "b")  # doctest: +NORMALIZE_WHITESPACE
    '<nav aria-label="Runs of this table"><!--previous--><!--/previous--><!--next--><a href="b.html"
    rel="next">next run →</a><!--/next--></nav>'
    """
    rel, words = _WORDS[way]
    link = tag("a", words, href=report_file(run_id), rel=rel)
    place = re.compile(f"<!--{way}-->.*?<!--/{way}-->", re.DOTALL)
    return place.sub(lambda _: _slot(way, link), page, count=1)


def _slot(way: Way, link: str) -> Markup:
    return Markup(f"<!--{way}-->{link}<!--/{way}-->")
