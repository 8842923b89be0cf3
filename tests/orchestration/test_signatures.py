"""What type checkers and editors read is what the table of parameters says."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tidemill.orchestration import signatures
from tidemill.orchestration.parameters import signature_of, signatures_text
from tidemill.planning.doors import FLOW_DOORS


def test_the_file_is_what_the_table_makes():
    """``python -m tidemill.orchestration.parameters`` writes it anew."""
    assert Path(signatures.__file__).read_text("utf-8") == signatures_text()


@pytest.mark.parametrize("door", FLOW_DOORS.values(), ids=FLOW_DOORS)
def test_names_order_and_defaults_are_those_of_the_flow(door):
    static = inspect.signature(getattr(signatures, door.name.replace("-", "_")))
    made = signature_of(door)
    assert [(one.name, one.default, one.kind) for one in static.parameters.values()] == [
        (one.name, one.default, one.kind) for one in made.parameters.values()
    ]
