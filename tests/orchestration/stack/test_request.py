"""What was asked for, and what follows from it."""

from pathlib import Path

import pytest

from tidemill.errors import ArgumentError
from tidemill.orchestration.stack.request import CLUSTER, StackRequest


def test_a_project_is_a_folder_or_a_file(tmp_path, monkeypatch):
    (tmp_path / "features").mkdir()
    monkeypatch.chdir(tmp_path)
    assert StackRequest.of("features").file == tmp_path / "features" / "prefect.yaml"
    assert StackRequest.of("features/other.yaml").file == tmp_path / "features" / "other.yaml"
    assert StackRequest.of().file == tmp_path / "prefect.yaml"


def test_addresses_are_those_by_which_this_machine_reaches_it():
    asked = StackRequest.of(host="0.0.0.0", port=4300)  # noqa: S104
    assert asked.page == "http://127.0.0.1:4300"
    assert asked.api == "http://127.0.0.1:4300/api"


def test_dask_gets_ports_and_flows_learn_of_it():
    asked = StackRequest.of(dask=2, environment={CLUSTER: "processes"})
    assert asked.cluster == f"tcp://127.0.0.1:{asked.dask_ports[0]}" == asked.environment[CLUSTER]
    assert asked.dask_ports[0] != asked.dask_ports[1]


def test_without_dask_the_cluster_is_that_of_the_caller():
    assert StackRequest.of(environment={CLUSTER: "processes"}).cluster == "processes"
    assert StackRequest.of(environment={}).environment == {CLUSTER: "threads"}


def test_logs_are_below_prefects_home_or_where_they_were_asked_for(tmp_path):
    asked = StackRequest.of()
    assert asked.logs.parent == asked.home
    assert StackRequest.of(logs=tmp_path).logs == Path(tmp_path)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"port": 0}, "--port 0 .* 1 to 65535"),
        ({"port": 70000}, "--port"),
        ({"dask": -1}, "--dask"),
    ],
)
def test_numbers_out_of_range_are_refused(given, match):
    with pytest.raises(ArgumentError, match=match):
        StackRequest.of(**given)
