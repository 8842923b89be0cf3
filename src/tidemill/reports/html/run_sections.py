"""The sections of a report that are about the run alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tidemill.model.counts import counted
from tidemill.reports.html.collect import RunFacts
from tidemill.reports.html.history import History
from tidemill.reports.html.links import neighbour_links, run_link
from tidemill.reports.html.markup import (
    Markup,
    definitions,
    id_text,
    joined,
    mono,
    table,
    tag,
    text,
)
from tidemill.reports.html.svg import bar
from tidemill.reports.text import number_text, percent_text, seconds_text, slowest_calculators
from tidemill.storage.record import RunRecord

__all__ = ["calculated", "checks", "headline", "left_out", "section", "times"]

#: Rows of a table; the run record names more.
LINES = 20
#: Ids named in a sentence.
IDS = 10
#: Calculators with a bar of their own.
SLOWEST = 15
#: Class of the style sheet, and sign, by the name of a state.
_LOOKS = {
    "Completed": ("good", "M5 10.5l3.2 3.2L15 7"),
    "Warned": ("warned", "M10 5.2v6M10 14.4v.2"),
    "Failed": ("failed", "M6.5 6.5l7 7M13.5 6.5l-7 7"),
}
_PLAIN = ("calm", "M6 10h8")
#: What the colours of bars mean.
_KEY = tag(
    "span",
    tag("span", tag("i", class_="bar"), "calculator"),
    tag("span", tag("i", class_="shared"), "shared by several"),
    class_="key",
)
_MARKS = {"warn": "warned", "fail": "failed"}


def section(title: str, *content: object, class_: str | None = None) -> Markup:
    """A part of the page with its heading."""
    return tag("section", tag("h2", title), *content, class_=class_)


def headline(facts: RunFacts) -> Markup:
    """The verdict, and which run of which table it is about."""
    record = facts.record
    look, sign = _LOOKS.get(facts.verdict.state_name, _PLAIN)
    drawn = tag("path", d=sign)
    icon = tag("svg", drawn, viewBox="0 0 20 20", aria_hidden="true", class_="sign")
    outcome, colon, rest = facts.verdict.text.partition(": ")
    verdict = tag(
        "h1",
        tag("strong", outcome, tag("span", colon.rstrip(), class_="unseen")),
        Markup(" " * bool(rest)),
        text(rest, 10**4),
    )
    about = definitions(
        [
            ("Table" if record.interval else "Output", mono(record.sink)),
            ("Interval", record.interval_label),
            ("Started", _moment(record.started)),
            ("Steps took", seconds_text(sum(record.seconds.values())) if record.seconds else ""),
            ("Run", mono(record.run_id)),
        ]
    )
    box = tag("div", icon, verdict, class_=f"verdict {look}")
    shown = _what_is_shown(facts, facts.history) if facts.history else None
    return tag("header", neighbour_links(), box, shown, about)


def _moment(iso: str) -> str:
    """A moment for people.

    Examples
    --------
    >>> _moment("2030-01-01T02:03:04.567+00:00")
    '2030-01-01 02:03:04 UTC'
    """
    return f"{iso[:19].replace('T', ' ')} UTC"


def calculated(facts: RunFacts) -> Markup:
    """What was calculated, and why."""
    record = facts.record
    return section(
        "What was calculated, and why",
        definitions(_about(facts, record)),
        _failure(record, facts.verdict.text),
    )


def _failure(record: RunRecord, verdict: str) -> Markup | None:
    """All of the reason, if the headline has cut it short."""
    whole = text(record.message, 10**4)
    is_told = not record.message or whole in text(verdict, 10**4)
    return None if is_told else tag("p", whole, class_="message")


def _what_is_shown(facts: RunFacts, history: History) -> Markup | None:
    """What the table shows, if that is not what this run made."""
    if history.shown == facts.record.run_id:
        return None
    link = run_link(history.shown, facts.reports) if history.shown else None
    if facts.record.state == "finished":
        said = ("Its rows were replaced since, by run ", link, ".") if link else ("They are gone.",)
    elif link:
        said = ("Nothing was published. The table still shows the rows of run ", link, ".")
    else:
        said = ("Nothing was published: the table has no rows of this interval.",)
    return tag("p", *said, class_="note")


def _about(facts: RunFacts, record: RunRecord) -> Iterator[tuple[str, object]]:
    accepted = record.acceptance
    yield "Why", record.reason if record.interval else ""
    yield "Input", mono(record.source)
    if record.columns:
        yield "Size", f"{counted(record.rows, 'row')} of {counted(record.columns, 'column')}"
    if replaced := accepted.get("replaced"):
        yield "Replaces", joined(["the rows of run ", run_link(replaced, facts.reports)])
    for name, change in accepted.get("changes", {}).items():
        if change["count"]:
            yield f"Ids {name}", _ids(change)
    for name, kinds in accepted.get("columns", {}).items():
        yield (
            f"Columns of the input that are {'gone' if name == 'vanished' else name}",
            ", ".join(kinds),
        )
    yield "Settings", accepted.get("settings_change", "")
    yield "Policies", ", ".join(f"{name} {value}" for name, value in record.policies.items())
    yield "Times of the input", record.time_zone_of_input
    yield "Parts", _parts(record.parts)
    yield "Cluster", record.cluster.get("name", "")
    yield "Notes", "; ".join(record.notes)
    yield "Content digest", mono(record.digest[:16]) if record.digest else ""


def _ids(change: Mapping[str, Any]) -> str:
    """How many ids, and the first of them.

    Examples
    --------
    >>> _ids({"count": 11, "ids": list("abcdefghijk")})
    '11 (a, b, c, d, e, f, g, h, i, j, ...)'
    """
    more = ", ..." * (change["count"] > IDS)
    return f"{change['count']:,} ({', '.join(change['ids'][:IDS])}{more})"


def _parts(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in parts.items() if name != "quarantined")


def checks(record: RunRecord) -> Markup | None:
    """Each check with its figure and limits; None for a run without checks."""
    measures = record.acceptance.get("measures", {})
    if not measures:
        return None
    levels = {one["check"]: one["level"] for one in record.acceptance["checks"]}
    rows = [_check(name, one, levels.get(name)) for name, one in measures.items()]
    columns = ("check", "result", "figure", "warns above", "fails above")
    return section("Checks", table("Checks of this interval", columns, rows, {2, 3, 4}))


def _check(name: str, measured: Mapping[str, Any], level: str | None) -> Sequence[object]:
    shown = percent_text if measured["is_share"] else "{:,}".format
    limits = [
        shown(measured["limits"][one]) if one in measured["limits"] else "off" for one in _MARKS
    ]
    if measured["figure"] is None:
        return mono(name), "nothing to compare with", "-", *limits
    result = tag("span", level or "ok", class_=f"mark {_MARKS.get(level or '', 'good')}")
    return mono(name), result, shown(measured["figure"]), *limits


def left_out(record: RunRecord) -> Iterator[Markup]:
    """Files, series and cells that could not be used."""
    files = [(mono(one["path"]), one["reason"]) for one in record.bad_files]
    yield from _listed("Files that were left out", ("file", "reason"), files, len(files))
    series = [
        (id_text(one.id), one.kind or "all", one.reason, one.since[:10] or "-")
        for one in record.quarantined
    ]
    count = max(record.parts.get("quarantined", 0), len(series))
    yield from _listed("Quarantined", ("id", "kind", "reason", "since"), series, count)
    errors = [(mono(one.calculator), one.kind, one.count, one.message) for one in record.errors]
    titles = ("calculator", "kind", "cells", "message")
    yield from _listed("Errors, by calculator", titles, errors, len(errors), {2})


def _listed(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    count: int,
    numbers: Collection[int] = (),
) -> Iterator[Markup]:
    """A table of the first rows; nothing if there are none."""
    if rows:
        more = tag("p", f"{count:,} in all.", class_="note") if count > LINES else None
        yield section(title, table(title, columns, rows[:LINES], numbers), more)


def times(record: RunRecord) -> Markup | None:
    """Time per step and per calculator; None if nothing was measured."""
    if not record.seconds:
        return None
    steps = [(name, seconds, "bar") for name, seconds in record.seconds.items()]
    shown = [_bars("Wall time of steps", "step", steps)]
    if record.seconds_by_calculator:
        bars = list(_calculator_bars(record.seconds_by_calculator))
        shown.append(_bars("Time of calculators, one thread", "calculator", bars, _KEY))
    return section("Where the time went", tag("div", *shown, class_="pair"))


def _calculator_bars(seconds: Mapping[str, float]) -> Iterator[tuple[str, float, str]]:
    """Name, seconds and class of each bar: the slowest, and one for all others."""
    slowest = slowest_calculators(seconds, len(seconds))
    for name, value in slowest[:SLOWEST]:
        yield name.removeprefix("need:"), value, "shared" if name.startswith("need:") else "bar"
    if others := slowest[SLOWEST:]:
        yield counted(len(others), "other"), sum(value for _, value in others), "rest"


def _bars(
    title: str, what: str, bars: Sequence[tuple[str, float, str]], key: Markup | None = None
) -> Markup:
    most = max((seconds for _, seconds, _ in bars), default=0) or 1
    rows = (
        (mono(name), bar(value / most, class_), seconds_text(value)) for name, value, class_ in bars
    )
    titles = (what, key or tag("span", "share of the longest", class_="unseen"), "time")
    return tag("div", tag("h3", title), table(title, titles, rows, {2}, "bars"))


def measured(value: float | None, spread: float | None) -> str:
    """A mean with its spread, if ids differ.

    Examples
    --------
    >>> measured(12.345678, 0.5), measured(2.0, 0.0), measured(None, None)
    ('12.35 ± 0.5', '2', '-')
    """
    return number_text(value) if not spread else f"{number_text(value)} ± {number_text(spread)}"
