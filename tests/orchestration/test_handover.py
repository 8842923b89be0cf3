"""What a command has checked, its flow does not check again; anything else it does."""

from __future__ import annotations

import pytest

from tidemill.errors import ArgumentError
from tidemill.orchestration.cluster import parse_cluster
from tidemill.orchestration.handover import HandedOver, hand_over, requested
from tidemill.planning.doors import BACKFILL, EXTRACT
from tidemill.planning.request import make_request

GIVEN = EXTRACT.complete({"source": "in", "sink": "out", "column_id": "id", "cluster": "threads:2"})


def test_the_request_that_was_handed_over_is_used():
    request, spec = make_request(**GIVEN), parse_cluster("threads:2")
    with hand_over(HandedOver(EXTRACT, GIVEN, request), spec):
        found = requested(EXTRACT, dict(GIVEN))
    assert found[0] is request
    assert found[1] is spec


@pytest.mark.parametrize("other", [{"sink": "elsewhere"}, {"settings": "minimal"}])
def test_other_values_are_a_request_of_their_own(other):
    request, spec = make_request(**GIVEN), parse_cluster("threads:2")
    with hand_over(HandedOver(EXTRACT, GIVEN, request), spec):
        found, _ = requested(EXTRACT, GIVEN | other)
    assert found is not request
    assert found == make_request(**GIVEN | other)


def test_another_flow_is_a_request_of_its_own():
    """Such as one that a user's flow calls inside of the other."""
    given = BACKFILL.complete(
        {"source": "in", "sink": "out", "column_id": "id", "column_time": "time"}
        | {"start": "2026-11-01", "end": "2026-11-02"}
    )
    request, spec = make_request(**GIVEN), parse_cluster("threads:2")
    with hand_over(HandedOver(EXTRACT, GIVEN, request), spec):
        assert requested(BACKFILL, given)[0] is not request


def test_without_a_handover_everything_is_checked():
    request, spec = requested(EXTRACT, GIVEN)
    assert (request.ids, spec.size, request.validated) == (("id",), 2, False)
    with pytest.raises(ArgumentError, match="cluster='thread' is not known"):
        requested(EXTRACT, GIVEN | {"cluster": "thread"})


def test_it_ends_with_its_context():
    request = make_request(**GIVEN)
    with hand_over(HandedOver(EXTRACT, GIVEN, request), parse_cluster("threads:2")):
        pass
    assert requested(EXTRACT, GIVEN)[0] is not request
