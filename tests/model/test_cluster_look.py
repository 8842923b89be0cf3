"""What a look at a cluster says of versions."""

from __future__ import annotations

import json

from tidemill.model.cluster_look import ClusterLook

from ..support.clusters import look_at_two


def test_only_what_differs_from_here_is_told():
    look = look_at_two()
    assert [look.differing(one.versions) for one in look.workers] == [{}, {"numpy": "2.2.0"}]
    assert look.hosts == 2


def test_a_scheduler_needs_neither_numpy_nor_tidemill():
    look = look_at_two(scheduler_versions={"python": "3.11", "dask": "2025.4.0"})
    assert look.scheduler_differing() == {"dask": "2025.4.0"}


def test_everything_is_json():
    shown = json.loads(json.dumps(look_at_two().to_json()))
    assert isinstance(look_at_two(), ClusterLook)
    assert [one["differs"] for one in shown["workers"]] == [{}, {"numpy": "2.2.0"}]
    assert shown["workers"][1]["tasks"] == {"calculate_features": 2}
