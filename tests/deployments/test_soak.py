"""Days of hourly and daily runs with all that goes wrong make what a clean backfill makes.

All of it is in ``tests/support/soak``. ``make soak HOURS=72`` goes on for three days.
"""

from __future__ import annotations

import os

import pytest

from ..support.soak.drive import Soak
from ..support.soak.machines import machines

SECONDS = 3600.0 * float(os.environ.get("TIDEMILL_SOAK_HOURS", "0"))
SEED = int(os.environ.get("TIDEMILL_SOAK_SEED", "1"))

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(1800 + SECONDS)]


@pytest.mark.leaves_nothing
def test_whatever_goes_wrong_the_tables_are_those_of_a_backfill(tmp_path, probe):
    with machines(tmp_path) as running:
        Soak(running, tmp_path, SEED, SECONDS).run()
