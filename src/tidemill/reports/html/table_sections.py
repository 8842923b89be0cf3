"""The sections of a report that look back on the intervals of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tidemill.model.counts import counted
from tidemill.reports.html.collect import RunFacts
from tidemill.reports.html.features import FeatureLine
from tidemill.reports.html.history import UNPUBLISHED, History, Slot
from tidemill.reports.html.id_map import IdMap, IdRow
from tidemill.reports.html.links import report_file, run_link
from tidemill.reports.html.markup import Markup, id_text, mono, table, tag, text
from tidemill.reports.html.run_sections import measured, section
from tidemill.reports.html.svg import (
    Scale,
    Values,
    area,
    boxes,
    columns,
    drawing,
    hovers,
    line,
)
from tidemill.reports.text import number_text, percent_text

__all__ = ["ids", "key_figures", "moved", "numbers"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the intervals, and how it is written."""

    title: str
    of: Callable[[Slot], float | None]
    shown: Callable[[float], str] = "{:,}".format


ROWS = Figure("Rows, one per id", lambda slot: slot.counts.rows if slot.counts else None)
INPUT_ROWS = Figure(
    "Rows of the input", lambda slot: slot.counts.input_rows if slot.counts else None
)
NAN = Figure("NaN cells", lambda slot: slot.nan_share, percent_text)
QUARANTINED = Figure("Quarantined", lambda slot: slot.counts.quarantined if slot.counts else None)


def key_figures(facts: RunFacts, history: History) -> Markup:
    """Rows, NaN, and ids that are quarantined or missing, over the intervals."""
    cards = [_card(facts, history, figure) for figure in (ROWS, INPUT_ROWS, NAN)]
    trouble = _trouble_card(facts, history)
    count = len(history.published)
    title = f"The last {count:,} intervals" if count > 1 else "This interval"
    return section(title, tag("div", *cards, trouble, class_="cards"))


def _card(facts: RunFacts, history: History, figure: Figure) -> Markup:
    values = [figure.of(slot) for slot in history.slots]
    highest = max((value for value in values if value is not None), default=0) or 1
    marks = (
        columns([*values[:-1], None], highest, "past"),
        columns(_only_last(values), highest, "refused" if history.own.is_refused else "now"),
    )
    said = [_said(one, figure.shown) for one in values]
    over = f"highest {figure.shown(highest)}"
    plot = _plot(facts, history, f"{figure.title} of each interval", marks, said, over)
    return tag("article", tag("h3", figure.title), _newest(history, figure), *plot)


def _plot(
    facts: RunFacts,
    history: History,
    title: str,
    marks: Sequence[Markup],
    said: Sequence[str],
    over: str,
) -> Iterator[Markup]:
    """A drawing over the intervals, with an axis below it; nothing if there is only one."""
    if len(history.slots) == 1:
        return
    titles = _titles(history, said)
    links = [
        report_file(slot.run_id) if slot.run_id in facts.reports else None for slot in history.slots
    ]
    drawn = (boxes(_gaps(history), "gap"), *marks, hovers(titles, links))
    yield drawing(title, len(titles), *drawn, class_="plot")
    yield _axis(history, over)


def _said(value: float | None, shown: Callable[[float], str]) -> str:
    return "-" if value is None else shown(value)


def _newest(history: History, figure: Figure) -> Markup:
    """The newest figure, large, and what it is or was before."""
    known = [(slot, value) for slot in history.slots if (value := figure.of(slot)) is not None]
    if not known:
        return tag("p", "-", class_="big")
    slot, value = known[-1]
    words = [f"{figure.shown(known[-2][1])} in {known[-2][0].label}"] if len(known) > 1 else []
    if slot is not history.own:
        words = [f"in {slot.label}, the last that is published"]
    elif slot.is_refused:
        words.insert(0, "not published")
    return tag("p", tag("b", figure.shown(value)), " ", tag("span", "; ".join(words)), class_="big")


def _trouble_card(facts: RunFacts, history: History) -> Markup:
    quarantined = [QUARANTINED.of(slot) for slot in history.slots]
    missing: Values = facts.ids.missing if facts.ids else [None] * len(quarantined)
    both = [(one or 0) + (other or 0) for one, other in zip(quarantined, missing, strict=True)]
    most = max(both, default=0)
    said = [_trouble(one, other) for one, other in zip(quarantined, missing, strict=True)]
    marks = (
        columns(quarantined, most or 1, "quarantined"),
        columns(missing, most or 1, "missing", quarantined),
    )
    at = max((place for place, value in enumerate(quarantined) if value is not None), default=None)
    large, words = ("-", "") if at is None else (f"{both[at]:,}", said[at])
    newest = tag("p", tag("b", large), " ", tag("span", words), class_="big")
    title = "Quarantined and missing ids of each interval"
    plot = _plot(facts, history, title, marks, said, f"most {most:,}" if most else "none")
    return tag("article", tag("h3", "Ids without a row"), newest, *plot)


def _trouble(quarantined: float | None, missing: float | None) -> str:
    """What is wrong with how many ids.

    Examples
    --------
    >>> _trouble(8, 2), _trouble(0, None)
    ('8 quarantined, 2 missing', '0 quarantined')
    """
    named = ((quarantined, "quarantined"), (missing, "missing"))
    return ", ".join(f"{count:,} {what}" for count, what in named if count is not None)


def _gaps(history: History) -> list[int]:
    return [place for place, slot in enumerate(history.slots) if slot.is_gap]


def _only_last(values: Values) -> list[float | None]:
    return [None] * (len(values) - 1) + [values[-1]]


def _titles(history: History, said: Sequence[str]) -> list[str]:
    """What the slots say under the pointer."""
    return [
        slot.label if slot.is_gap else f"{slot.label}: {one}"
        for slot, one in zip(history.slots, said, strict=True)
    ]


def _axis(history: History, middle: str) -> Markup:
    """The first and the last interval below a drawing, and what it shows between them."""
    ends = (slot.label.removesuffix(UNPUBLISHED) for slot in (history.slots[0], history.own))
    first, last = (tag("span", label) for label in ends)
    return tag("p", first, tag("span", middle), last, class_="axis")


def moved(facts: RunFacts, history: History) -> Markup:
    """The features that moved most, each as a line with its band."""
    features = facts.record.acceptance.get("features", {})
    title = "Features that moved most"
    if features.get("before") is None:
        return section(
            title, tag("p", "This is the first interval: there is nothing to compare with.")
        )
    if not facts.features:
        known = features["moved"] is not None
        said = (
            f"None has moved since {features['before']}."
            if known
            else (f"No figures were kept for the interval before it, {features['before']}.")
        )
        return section(title, tag("p", said))
    told = text(
        f"Since {features['before']}. A move is a number from 0 to 1: the larger of the change of "
        "the share of NaN, and d / (1 + d), where d is the change of the mean in spreads (standard "
        "deviations over ids). Lines are means, bands one spread to either side",
        limit=1_000,
    )
    nan = any(value for one in facts.features for value in one.nan if value)
    grey = ", grey columns the share of NaN: a quarter of the height is all" if nan else ""
    cards = (_feature(one, history) for one in facts.features)
    return section(
        title, tag("p", told, f"{grey}.", class_="note"), tag("ul", *cards, class_="features")
    )


def _feature(feature: FeatureLine, history: History) -> Markup:
    scale = Scale.over([*feature.low, *feature.high, *feature.mean])
    spread = [
        None if high is None or mean is None else high - mean
        for high, mean in zip(feature.high, feature.mean, strict=True)
    ]
    said = [measured(one, around) for one, around in zip(feature.mean, spread, strict=True)]
    marks = (
        columns(feature.nan, 4.0, "nan"),
        area(feature.low, feature.high, scale),
        line(feature.mean, scale),
        line(_only_last(feature.mean), scale, "dot"),
        hovers(_titles(history, said), [None] * len(said)),
    )
    return tag(
        "li",
        tag("h3", mono(feature.name)),
        tag("p", *_feature_words(feature), class_="moved"),
        drawing(f"{feature.name} of each interval", len(said), *marks, class_="plot"),
        _axis(history, f"{number_text(scale.low, 3)} to {number_text(scale.high, 3)}"),
    )


def _feature_words(feature: FeatureLine) -> Iterator[object]:
    moved = feature.moved
    before = measured(moved["mean_before"], moved["spread_before"])
    yield tag("b", f"{moved['move']:.2g}", title="move")
    yield f" {before} \u2192 {number_text(moved['mean'])}"
    if moved["nan_before"] or moved["nan"]:
        yield f", NaN {percent_text(moved['nan_before'])} \u2192 {percent_text(moved['nan'])}"


def ids(history: History, found: IdMap) -> Markup:
    """Which ids were quarantined or missing in which intervals."""
    title = "Quarantined and missing ids, by interval"
    note = tag("p", found.note, class_="note") if found.note else None
    if not found.rows:
        count = len(history.published)
        said = f"None in the last {count:,} intervals." if count != 1 else "None in this interval."
        return section(title, tag("p", said), note)
    gaps = _gaps(history)
    rows = [_id_row(one, history, gaps) for one in found.rows]
    more = found.count - len(rows)
    left_out = (
        tag(
            "p",
            f"{counted(more, 'more id was', 'more ids were')} quarantined or missing at some time.",
            class_="note",
        )
        if more
        else None
    )
    titles = ("id", _key(), "intervals", "last reason")
    shown = table(
        "Ids that had no row in some interval, the current ones first", titles, rows, (), "map"
    )
    return section(title, note, shown, left_out)


def _key() -> Markup:
    """What the colours of the map mean."""
    meanings = {"quarantined": "quarantined", "missing": "missing", "gap": "not published"}
    swatches = (tag("span", tag("i", class_=one), name) for one, name in meanings.items())
    return tag("span", *swatches, class_="key")


def _id_row(row: IdRow, history: History, gaps: Iterable[int]) -> Sequence[object]:
    said = _trouble(len(row.quarantined) or None, len(row.missing) or None)
    marks = (
        boxes(gaps, "gap"),
        boxes(row.missing, "missing"),
        boxes(row.quarantined, "quarantined"),
    )
    strip = drawing(f"{row.id}: {said}", len(history.slots), *marks, class_="strip")
    reason = f"{row.last.reason}, since {row.last.since[:10]}" if row.last else ""
    return id_text(row.id), strip, said, reason


def numbers(facts: RunFacts, history: History) -> Markup:
    """The figures of the drawings as a table, newest first."""
    missing = facts.ids.missing if facts.ids else (None,) * len(history.slots)
    rows = (
        (
            slot.label,
            *(
                _said(figure.of(slot), figure.shown)
                for figure in (ROWS, INPUT_ROWS, NAN, QUARANTINED)
            ),
            "-" if missing[place] is None else f"{missing[place]:,}",
            run_link(slot.run_id, facts.reports) if slot.run_id else "",
        )
        for place, slot in reversed(list(enumerate(history.slots)))
    )
    titles = ("interval", "rows", "rows of the input", "NaN", "quarantined", "missing", "run")
    whole = table("Figures of the intervals, newest first", titles, rows, {1, 2, 3, 4, 5})
    return tag("section", tag("details", tag("summary", "These figures as a table"), whole))
