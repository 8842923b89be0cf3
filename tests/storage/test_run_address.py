"""All that a worker finds by the address of a run."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tidemill.errors import LeaseLostError
from tidemill.storage.lease import acquire
from tidemill.storage.run_address import Run

KEY = "0123456789abcdef" * 4
NAME = "20261120T000000Z"


def address(place, generation: int = 1, interval: str | None = None) -> Run:
    url, options = place
    return Run("r", "2030", f"{url}/matrix", KEY, generation, "/tmp/w", options, interval)  # noqa: S108


@pytest.mark.parametrize("interval", [None, NAME])
def test_it_survives_json(place, interval):
    run = address(place, 7, interval)
    again = Run(**json.loads(json.dumps(asdict(run))))
    assert again == run
    assert (again.layout, again.key) == (run.layout, run.key)


def test_it_leads_to_the_state_of_its_result(place):
    run = address(place)
    assert run.layout.url == f"{place[0]}/matrix"
    assert run.key.state.url == f"{place[0]}/matrix/_tidemill/keys/{KEY[:16]}"
    assert run.key.state.storage_options == place[1]


@pytest.mark.parametrize("interval", [None, NAME])
def test_its_view_is_of_the_lease_that_its_job_holds(place, interval):
    store = address(place).layout.lease_of(interval)
    with acquire(store, owner="ann", run_id="r") as lease:
        address(place, lease.generation, interval).lease_view().check(now=True)
        other = address(place, lease.generation, None if interval else NAME)
        with pytest.raises(LeaseLostError, match="removed"):
            other.lease_view().check(now=True)
    with pytest.raises(LeaseLostError, match=r"released \(finished\)"):
        address(place, lease.generation, interval).lease_view().check(now=True)
