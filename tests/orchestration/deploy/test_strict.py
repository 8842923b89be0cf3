"""Models that refuse what Prefect would ignore."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tidemill.orchestration.deploy.strict import Strict


class Pump(Strict):
    name: str
    litres: int = 3


def test_null_is_a_missing_key():
    assert Pump.model_validate({"name": "a", "litres": None}).litres == 3


@pytest.mark.parametrize("given", [{"name": "a", "liters": 3}, {"name": "a", "litres": "3"}, {}])
def test_unknown_keys_and_other_types_are_refused(given):
    with pytest.raises(ValidationError):
        Pump.model_validate(given)
