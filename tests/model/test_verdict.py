"""The verdict is one line, whatever it is made of."""

from __future__ import annotations

import pytest

from tidemill.model.verdict import LONGEST, SAID, Verdict


@pytest.mark.parametrize("outcome", ["Completed", "Skipped"])
def test_warnings_are_counted_and_the_first_are_said(outcome):
    said = [f"w{i}" for i in range(SAID + 2)]
    assert Verdict(outcome, "done", ("w0",)).text == f"{outcome}, 1 warning: w0"
    text = Verdict(outcome, "done", tuple(said)).text
    assert text == f"{outcome}, {SAID + 2} warnings: {'; '.join(said[:SAID])}; 2 more"


@pytest.mark.parametrize("outcome", ["Failed", "Cancelled", "Running"])
def test_other_outcomes_say_their_reason(outcome):
    assert Verdict(outcome, "why", ("w",)).text == f"{outcome}: why"
    assert Verdict(outcome).text == outcome


def test_text_from_outside_stays_on_one_line():
    hostile = "a\n\x1b[2J" + "x" * 2 * LONGEST
    for verdict in (Verdict("Failed", hostile), Verdict("Completed", warnings=(hostile,))):
        assert verdict.text.isprintable()
        assert len(verdict.text) < LONGEST + 50


@pytest.mark.parametrize(
    ("verdict", "name"),
    [
        (Verdict("Completed"), "Completed"),
        (Verdict("Completed", warnings=("w",)), "Warned"),
        (Verdict("Skipped", warnings=("w",)), "Warned"),
        (Verdict("Skipped"), "Skipped"),
        (Verdict("Failed", warnings=("w",)), "Failed"),
    ],
)
def test_the_state_has_a_name_of_its_own(verdict, name):
    assert verdict.state_name == name
