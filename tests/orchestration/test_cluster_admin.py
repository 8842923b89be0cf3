"""What is asked of a scheduler; the commands on real ones are in tests/cli/test_cluster.py."""

from __future__ import annotations

import pytest

from tidemill.errors import ArgumentError, ClusterError
from tidemill.orchestration.cluster_admin import _choose, _runs, _shown, connected

KNOWN = {"tcp://10.0.0.2:1": {"name": "first"}, "tcp://10.0.0.3:1": {"name": 7}}


def test_workers_are_named_by_address_or_name():
    assert _choose(KNOWN, ()) == sorted(KNOWN)
    assert _choose(KNOWN, ["7", "tcp://10.0.0.3:1"]) == ["tcp://10.0.0.3:1"]
    with pytest.raises(ArgumentError, match="worker 'third' is not there"):
        _choose(KNOWN, ["third"])
    with pytest.raises(ClusterError, match="has no worker"):
        _choose({}, ())


def test_runs_are_known_by_the_task_that_stands_for_them():
    keys = ["tidemill-preflight-a-b-lives", ("x", 1), "tidemill-preflight-a-b-tcp://10.0.0.2:1"]
    assert _runs(keys) == ["a-b"]


def test_versions_are_those_that_matter():
    found = _shown({"packages": {"python": "3.11.7.final.0", "numpy": "2.3.0", "lz4": None}})
    assert (found["python"], found["numpy"], found["numba"]) == ("3.11", "2.3.0", "none")
    assert "lz4" not in found


def test_what_is_no_running_scheduler_is_refused():
    with pytest.raises(ArgumentError, match="names no scheduler that runs"), connected("none"):
        pass
