"""HTML and SVG from values: what is not markup already is escaped.

Ids, kinds, paths and messages come from outside. So there is one way to make markup, :func:`tag`,
and it takes a text for what it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from html import escape

from tidemill.errors import printable

__all__ = ["Markup", "definitions", "id_text", "joined", "mono", "table", "tag", "text"]

#: Characters of a text from outside.
LONGEST = 300
#: Characters of an id in a table.
ID = 40


class Markup(str):
    """Markup that is right as it stands."""

    __slots__ = ()


def text(value: object, limit: int = LONGEST) -> Markup:
    r"""A value as text: on one line, harmless and not too long.

    Examples
    --------
    >>> text("<script>\x1b[2J&"), text(1234567), text("0123456789", limit=4)
    ('&lt;script&gt;\\x1b[2J&amp;', '1,234,567', '0123...')
    """
    if isinstance(value, Markup):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup(f"{value:,}")
    return Markup(escape(printable(value, limit)))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element; None stands for no child, or no attribute.

    An underscore at the end of an attribute's name is dropped, others become hyphens.

    Examples
    --------
    >>> tag("a", "a < b", None, href='x"y.html', class_="run", aria_label=None)
    '<a href="x&quot;y.html" class="run">a &lt; b</a>'
    """
    inner = "".join(text(child) for child in children if child is not None)
    return Markup(f"<{name}{_attributes(attributes)}>{inner}</{name}>")


def _attributes(given: dict[str, object]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value, limit=10**6)}"'
        for name, value in given.items()
        if value is not None
    )


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Several pieces of markup or text, one after the other.

    Examples
    --------
    >>> joined(["a", tag("b", 1)], ", ")
    'a, <b>1</b>'
    """
    return Markup(escape(between).join(text(part) for part in parts if part is not None))


def mono(value: object) -> Markup:
    """A name from the data or the program, which may break after each of its parts.

    Examples
    --------
    >>> mono("x__mean")
    '<code>x__<wbr>mean</code>'
    """
    return Markup(f"<code>{text(value).replace('__', '__<wbr>')}</code>")


def id_text(value: object) -> Markup:
    """An id in a table, in one piece; all of a long one stands in its title.

    Examples
    --------
    >>> id_text("north pump")
    '<code title="north pump">north pump</code>'
    """
    return tag("code", text(value, ID), title=text(value))


def table(
    caption: str,
    titles: Sequence[object],
    rows: Iterable[Sequence[object]],
    numbers: Collection[int] = (),
    class_: str | None = None,
) -> Markup:
    """A table whose first cells are the titles of their rows.

    Parameters
    ----------
    caption : what it shows, for those who do not see it
    titles : of the columns
    rows : the cells
    numbers : places of columns that hold numbers
    class_ : for the style sheet

    Examples
    --------
    >>> sizes = table("Sizes", ("name", "rows"), [("a", 7)], numbers={1})
    >>> print(sizes.partition("<tbody>")[2])
    <tr><th scope="row">a</th><td class="n">7</td></tr></tbody></table></div>
    """
    classes = ["n" if place in numbers else None for place in range(len(titles))]

    def cells(name: str, values: Sequence[object], first: int = 0) -> Iterator[Markup]:
        scope = "col" if name == "th" else None
        for value, look in zip(values, classes[first:], strict=True):
            yield tag(name, value, scope=scope, class_=look)

    body = (
        tag("tr", tag("th", first, scope="row"), *cells("td", rest, 1)) for first, *rest in rows
    )
    head = tag("thead", tag("tr", *cells("th", titles)))
    whole = tag("table", tag("caption", caption), head, tag("tbody", joined(body)), class_=class_)
    # A wide table scrolls by itself, with the keyboard too: the page never does.
    return tag("div", whole, class_="wide", tabindex=0, role="region", aria_label=caption)


def definitions(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Names and what is to be said of each; nothing of those that are empty.

    Examples
    --------
    >>> definitions([("rows", 3), ("note", "")])
    '<dl><div><dt>rows</dt><dd>3</dd></div></dl>'
    """
    said = ((name, value) for name, value in pairs if value not in {"", None})
    shown = (tag("div", tag("dt", name), tag("dd", value)) for name, value in said)
    return tag("dl", joined(shown))
