"""The tree of errors: its drawing, what callers may catch, and texts made for messages."""

from __future__ import annotations

import inspect
import pickle
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill import errors
from tidemill.errors import (
    CalculationError,
    InputError,
    LeaseLostError,
    ParameterError,
    ServerError,
    SinkError,
    SourceChangedError,
    SourceError,
    TidemillError,
    UnfitWorkerError,
    printable,
    shorten,
)

CLASSES = [
    one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, TidemillError)
]


def drawn() -> dict[str, str]:
    """Each class in the drawing, and the one that it hangs from."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():
        if found := re.match(r"    ((?:│   |    )*)(?:[├└]── )?(\w+Error)\b", line):
            branches = "──" in line
            depth = len(found[1]) // 4 + branches
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1] if depth else ""
    return parents


def test_the_drawing_is_the_tree():
    assert drawn() == {
        one.__name__: "" if one is TidemillError else one.__bases__[0].__name__ for one in CLASSES
    }


def test_all_classes_are_public():
    warnings = {"QuadraticWarning", "TextOrderWarning"}
    named = (
        {one.__name__ for one in CLASSES}
        | warnings
        | {"explains_itself", "printable", "shorten", "shown_url"}
    )
    assert errors.__all__ == sorted(named)


@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (InputError, ValueError),
        (ParameterError, AssertionError),
        (ParameterError, ValueError),
        (SourceChangedError, SourceError),
        (LeaseLostError, SinkError),
    ],
)
def test_what_callers_may_catch(error, caught):
    with pytest.raises(caught):
        raise error("message")


@pytest.mark.parametrize("error", [CalculationError, SinkError, UnfitWorkerError, ServerError])
def test_what_is_no_fault_of_the_input(error):
    assert not issubclass(error, ValueError)


@pytest.mark.parametrize("url", ["https://me:secret@host:4200/api", "https://secret@host:4200/api"])
def test_the_password_of_a_server_is_left_out(url):
    text = str(ServerError.unreachable(url, OSError("refused")))
    assert "PREFECT_API_URL=https://host:4200/api cannot be reached (refused)" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (2, "0, 1"), (3, "0, 1, ... (3 in all)")],
)
def test_long_lists_are_cut_with_their_number(count, text):
    assert shorten((i for i in range(count)), limit=2) == text


@given(st.text(st.characters()), st.integers(1, 50))
def test_printable_text_is_one_short_line_that_no_terminal_obeys(text, limit):
    shown = printable(text, limit)
    assert len(shown) <= limit + len("...")
    assert len(shown.splitlines()) <= 1
    assert all(one.isprintable() or unicodedata.category(one) == "Zs" for one in shown)
    shown.encode()
    assert printable(shown, limit + 3) == shown
    if text.isprintable() and len(text) <= limit:
        assert shown == text


def test_the_sentences_of_an_error_are_lines_of_their_own():
    error = pickle.loads(pickle.dumps(SinkError("bad\nsink\x1b[2J", "bad id\u202e")))  # noqa: S301
    assert str(error) == "bad sink\\x1b[2J\nbad id\\u202e"
    assert str(SinkError()) == ""
