"""Links stay in the folder of the reports."""

from __future__ import annotations

from tidemill.reports.html.links import linked, neighbour_links, report_file, run_link
from tidemill.reports.html.markup import tag

from ...support.html_pages import read


def test_a_link_can_be_set_and_set_again():
    page = neighbour_links()
    assert read(page).all("a") == []
    page = linked(linked(page, "previous", "a"), "next", "b")
    page = linked(page, "next", "c")
    assert [(one.attributes["href"], one.attributes["rel"]) for one in read(page).all("a")] == [
        ("a.html", "prev"),
        ("c.html", "next"),
    ]


def test_text_cannot_take_the_place_of_a_link():
    page = tag("p", "<!--next--><!--/next-->")
    assert linked(page, "next", "a") == page


def test_a_page_without_a_place_stays_as_it_is():
    assert linked("<p>another version</p>", "next", "a") == "<p>another version</p>"


def test_a_run_without_a_report_has_no_link():
    assert read(run_link("a", frozenset())).all("a") == []
    assert read(run_link("a", frozenset("a"))).one("a").attributes["href"] == "a.html"


def test_an_id_cannot_leave_the_folder():
    assert "/" not in report_file("../../x")
    assert ":" not in report_file("javascript:alert(1)//")
