"""Small drawings as SVG: pure functions of numbers.

A drawing has no text of its own: it is stretched to the width of its place, and what is to be read
stands beside it in HTML. Across, one step is one slot; down, the height is :data:`TALL`. Colours
and widths of lines come from the style sheet, by class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite

from tidemill.reports.html.markup import Markup, tag

__all__ = ["Scale", "Values", "area", "bar", "boxes", "columns", "drawing", "hovers", "line"]

#: Height of a drawing.
TALL = 100.0
#: Room above the highest and below the lowest point of a line.
MARGIN = 6.0
#: Part of a slot that stays free on each side of a column.
GAP = 0.12

#: One for each slot; None: there is none.
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to heights, counted from the top."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None]) -> Scale:
        """The scale on which all values lie.

        Examples
        --------
        >>> Scale.over([3.0, None, 1.0])
        Scale(low=1.0, high=3.0)
        """
        known = [value for value in values if value is not None and isfinite(value)]
        return cls(min(known, default=0.0), max(known, default=0.0))

    def at(self, value: float) -> float:
        """The height of a value: on the edge if it is beyond the scale, halfway if all are equal.

        Examples
        --------
        >>> scale = Scale(0.0, 10.0)
        >>> scale.at(0.0), scale.at(10.0), scale.at(99.0), Scale(1.0, 1.0).at(1.0)
        (94.0, 6.0, 6.0, 50.0)
        """
        low, high, value = self.low / 2, self.high / 2, value / 2  # their difference is finite
        if not high > low:
            return TALL / 2
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return round(TALL - MARGIN - share * (TALL - 2 * MARGIN), 1)


def drawing(title: str, slots: int, *marks: Markup, class_: str) -> Markup:
    """A drawing, with what it shows in words.

    Examples
    --------
    >>> drawing("Nothing", 2, class_="plot")  # doctest: +NORMALIZE_WHITESPACE
    '<svg viewBox="0 0 2 100" preserveAspectRatio="none" role="img"
    class="plot"><title>Nothing</title></svg>'
    """
    frame = {"viewBox": f"0 0 {max(slots, 1)} {TALL:g}", "preserveAspectRatio": "none"}
    return tag("svg", tag("title", title), *marks, **frame, role="img", class_=class_)


def line(values: Values, scale: Scale, class_: str = "line") -> Markup:
    """A line through the middles of slots, broken where there is no value.

    A value alone becomes a dot, as lines have round ends.

    Examples
    --------
    >>> line([0.0, 10.0, None, 5.0], Scale(0.0, 10.0))
    '<path d="M0.5 94L1.5 6M3.5 50h0" class="line"></path>'
    """
    return tag("path", d="".join(_strokes(values, scale)), class_=class_)


def _strokes(values: Values, scale: Scale) -> Iterator[str]:
    for run in _runs(values):
        points = [f"{place + 0.5:g} {scale.at(value):g}" for place, value in run]
        yield f"M{'L'.join(points)}" + "h0" * (len(points) == 1)


def area(low: Values, high: Values, scale: Scale) -> Markup:
    """The area between two lines that have values in the same slots.

    Examples
    --------
    >>> area([0.0, 2.0], [8.0, 10.0], Scale(0.0, 10.0))
    '<path d="M0.5 23.6L1.5 6L1.5 76.4L0.5 94z" class="area"></path>'
    """
    sides = zip(_runs(high), _runs(low), strict=True)
    shape = (f"M{'L'.join(_outline(upper, lower, scale))}z" for upper, lower in sides)
    return tag("path", d="".join(shape), class_="area")


def _outline(
    upper: Sequence[tuple[int, float]], lower: Sequence[tuple[int, float]], scale: Scale
) -> Iterator[str]:
    """There along the upper side and back along the lower one; a slot alone gets some width."""
    there = [(place + 0.5, value) for place, value in upper]
    back = [(place + 0.5, value) for place, value in reversed(lower)]
    if len(there) == 1:
        ((middle, top),), ((_, bottom),) = there, back
        there = [(middle - 0.2, top), (middle + 0.2, top)]
        back = [(middle + 0.2, bottom), (middle - 0.2, bottom)]
    for across, value in [*there, *back]:
        yield f"{across:g} {scale.at(value):g}"


def _runs(values: Values) -> Iterator[list[tuple[int, float]]]:
    """The places and values between two gaps."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    for _, run in groupby(enumerate(known), key=lambda one: one[1][0] - one[0]):
        yield [pair for _, pair in run]


def columns(values: Values, highest: float, class_: str, below: Values = ()) -> Markup:
    """A column for each value, which stands on that of ``below``, if there are any.

    Examples
    --------
    >>> columns([5.0, None, 10.0], 10.0, "rows")
    '<path d="M0.12 50h0.76V100h-0.76zM2.12 0h0.76V100h-0.76z" class="rows"></path>'
    """
    under = below or [None] * len(values)
    pairs = zip(values, under, strict=True)
    drawn = "".join(
        _box(place, (value or 0) + (base or 0), base or 0, highest)
        for place, (value, base) in enumerate(pairs)
        if value
    )
    return tag("path", d=drawn, class_=class_)


def _box(place: int, top: float, bottom: float, highest: float) -> str:
    above, under = (round(TALL * (1 - value / highest), 1) for value in (top, bottom))
    width = 1 - 2 * GAP
    return f"M{place + GAP:g} {above:g}h{width:g}V{under:g}h-{width:g}z"


def boxes(places: Iterable[int], class_: str) -> Markup:
    """Slots filled from top to bottom.

    Examples
    --------
    >>> boxes([0, 3], "gone")
    '<path d="M0 0h1v100h-1zM3 0h1v100h-1z" class="gone"></path>'
    """
    drawn = "".join(f"M{place} 0h1v{TALL:g}h-1z" for place in places)
    return tag("path", d=drawn, class_=class_)


def hovers(titles: Sequence[str], links: Sequence[str | None]) -> Markup:
    """Slots that say what they are when the pointer is on them, and lead somewhere if they can.

    Examples
    --------
    >>> hovers(["Monday"], ["a.html"])  # doctest: +NORMALIZE_WHITESPACE
    '<g class="hovers"><a href="a.html" tabindex="-1"><rect
    x="0"><title>Monday</title></rect></a></g>'
    """
    return tag("g", *map(_hover, range(len(titles)), titles, links), class_="hovers")


def _hover(place: int, title: str, link: str | None) -> Markup:
    slot = tag("rect", tag("title", title), x=place)  # its size stands in the style sheet
    # The same links stand in a table: the keyboard need not go through each drawing.
    return tag("a", slot, href=link, tabindex=-1) if link else slot


def bar(share: float, class_: str = "bar") -> Markup:
    """A bar over a share of its place; its number stands beside it.

    Examples
    --------
    >>> bar(0.25)  # doctest: +NORMALIZE_WHITESPACE
    '<svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true" class="bar"><rect
    width="0.25" height="1"></rect></svg>'
    """
    filled = tag("rect", width=f"{share:.4g}", height=1)
    frame = {"viewBox": "0 0 1 1", "preserveAspectRatio": "none", "aria-hidden": "true"}
    return tag("svg", filled, **frame, class_=class_)
