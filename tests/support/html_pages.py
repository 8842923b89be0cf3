"""Reports of runs as HTML: read as a browser reads them, and what holds for every one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

from tidemill.reports.html.page import POLICY

#: Elements without an end.
VOID = {"meta"}
#: All elements that a report is made of: none of them runs or loads anything.
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "footer"),
    *("section", "article", "div", "span", "p", "h1", "h2", "h3", "strong", "b", "i", "a", "code"),
    *("wbr", "ul", "li", "dl", "dt", "dd", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "g", "path", "rect"),
}
#: Attributes that hold an address.
ADDRESSES = {"href", "src", "srcset", "action", "data", "poster", "xlink:href", "background"}


@dataclass(eq=False)
class Element:
    """An element, and all text in it."""

    name: str
    attributes: dict[str, str | None]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list[Element]:
        """The elements of a name in it, in the order of the page."""
        found = [self] if self.name == name else []
        return found + [one for child in self.children for one in child.all(name)]

    def one(self, name: str) -> Element:
        (found,) = self.all(name)
        return found


class Reader(HTMLParser):
    """Builds the tree, and refuses what is not closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("page", {})]

    def handle_starttag(self, tag, attrs):
        made = Element(tag, dict(attrs))
        assert len(made.attributes) == len(attrs), f"an attribute of <{tag}> is given twice"
        self.open[-1].children.append(made)
        if tag not in VOID and tag != "wbr":
            self.open.append(made)

    def handle_endtag(self, tag):
        closed = self.open.pop()
        assert closed.name == tag, f"</{tag}> closes <{closed.name}>"

    def handle_data(self, data):
        for one in self.open:
            one.text += data


def read(page: str) -> Element:
    """The tree of a page."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, f"{reader.open[-1].name} is not closed"
    return reader.open[0]


def every(element: Element) -> list[Element]:
    return [element, *(one for child in element.children for one in every(child))]


def check_page(page: str) -> Element:
    """What holds for every report: whole, harmless, about nothing outside; its tree."""
    assert page.startswith("<!doctype html>\n")
    for one in page:
        assert one.isprintable() or one == "\n" or unicodedata.category(one) == "Zs", ascii(one)
    tree = read(page)
    found = every(tree)[1:]
    assert {one.name for one in found} <= KNOWN
    policy = [one.attributes["content"] for one in found if "http-equiv" in one.attributes]
    assert policy == [POLICY]
    assert "default-src 'none'" in POLICY
    for one in found:
        assert not any(name.startswith("on") or name == "style" for name in one.attributes)
        for name in ADDRESSES & one.attributes.keys():
            assert (one.name, name) == ("a", "href")
            assert re.fullmatch(r"[A-Za-z0-9%._~-]+\.html", one.attributes[name]), one.attributes
    style = tree.one("style").text
    assert not re.search(r"url\(|@import|expression|//", style)
    check_outline(tree)
    return tree


def check_outline(tree: Element) -> None:
    """One title, no level of headings left out, and tables and drawings that say what they are."""
    assert tree.one("html").attributes["lang"] == "en"
    levels = [int(one.name[1]) for one in every(tree) if re.fullmatch("h[1-6]", one.name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for table in tree.all("table"):
        assert table.one("caption").text
        assert all(one.attributes.get("scope") in {"row", "col"} for one in table.all("th"))
    for drawing in tree.all("svg"):
        is_silent = drawing.attributes.get("aria-hidden") == "true"
        assert is_silent or drawing.all("title")[0].text


def cells(table: Element) -> list[list[str]]:
    """The rows of a table's body."""
    rows = table.one("tbody").all("tr")
    return [[one.text for one in row.children] for row in rows]


def section(tree: Element, title: str) -> Element:
    """The section with that heading."""
    (found,) = [one for one in tree.all("section") if any(h.text == title for h in one.all("h2"))]
    return found
