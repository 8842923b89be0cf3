"""The tree of errors: its drawing, what callers may catch, and texts made for messages."""

from __future__ import annotations

import inspect
import re

import pytest

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
    named = {one.__name__ for one in CLASSES} | warnings | {"explains_itself", "shorten"}
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
