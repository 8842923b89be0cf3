"""Whatever text is given, it is shown as text."""

from __future__ import annotations

import pytest

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

from ...support.hostile import HOSTILE
from ...support.html_pages import read


@pytest.mark.parametrize("given", HOSTILE)
def test_text_is_never_markup(given):
    made = [
        tag("p", given),
        tag("p", "", title=given),
        tag("p", joined([given, given], ", ")),
        mono(given),
        id_text(given),
        definitions([(given, given)]),
        table(given, (given, given), [(given, given)]),
    ]
    for one in made:
        assert one.isprintable()
        assert "<script" not in one
        tree = read(one)
        assert tree.children
        assert not tree.all("x")


def test_markup_is_not_escaped_twice():
    inner = tag("b", "a & b")
    assert tag("p", inner) == "<p><b>a &amp; b</b></p>"
    assert text(inner) is inner
    assert isinstance(joined([inner, "<"]), Markup)


def test_a_quote_does_not_end_an_attribute():
    (made,) = read(tag("p", title="\" onclick='alert(1)' <b>")).children
    assert made.attributes == {"title": "\" onclick='alert(1)' <b>"}


def test_what_is_empty_is_not_listed():
    listed = definitions([("a", ""), ("b", None), ("c", 0), ("d", "x")])
    assert [one.text for one in read(listed).all("dt")] == ["c", "d"]


def test_a_long_id_is_cut_but_not_lost():
    (made,) = read(id_text("x" * 100)).children
    assert made.text == "x" * 40 + "..."
    assert made.attributes["title"] == "x" * 100
