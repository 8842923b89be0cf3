"""The tree of errors is the one that its docstring draws, and messages stay short and safe."""

import re

import pytest

from tidemill import errors
from tidemill.errors import ParameterError, ServerError, TidemillError, shorten

CLASSES = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


def drawn() -> dict[str, str]:
    """Each error of the drawing, and the one it hangs from."""
    parents, path = {}, []
    for bars, name in re.findall(r"^    ([│├└─ ]*)(\w+Error)\b", errors.__doc__, re.MULTILINE):
        depth = len(bars) // 4
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    return parents


def test_the_drawing_is_the_tree():
    real = {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES if cls is not TidemillError}
    assert drawn() == real


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_caught_by_the_base(cls):
    with pytest.raises(TidemillError, match="what happened"):
        raise cls("what happened")


def test_input_errors_are_value_errors_and_no_others():
    assert {cls for cls in CLASSES if issubclass(cls, ValueError)} == {
        cls for cls in CLASSES if issubclass(cls, errors.InputError)
    }


def test_a_wrong_parameter_is_also_what_tsfresh_raises():
    assert issubclass(ParameterError, AssertionError)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("https://me:secret@host/api", "https://host/api"),
        ("https://token@host:1/api", "https://host:1/api"),
    ],
)
def test_a_server_that_does_not_answer_is_named_without_its_password(url, shown):
    text = str(ServerError.unreachable(url, OSError("refused")))
    assert f"PREFECT_API_URL={shown} " in text
    assert "refused" in text
    assert "secret" not in text
    assert "token" not in text


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 500])
def test_long_lists_are_cut_and_counted(count):
    text = shorten(range(count))
    listed = [int(word) for word in text.partition(", ...")[0].split(", ") if word]
    assert listed == list(range(min(count, 10)))
    assert text.endswith(f"({count} in all)") == (count > 10)
