"""Which client is used, and when it is no use to wait any longer."""

from __future__ import annotations

import pytest
from distributed import Client, LocalCluster

from tidemill.bridges.dask.patience import Patience, client_of
from tidemill.errors import ArgumentError, ClusterError
from tidemill.orchestration import worker_watch


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(processes=False, n_workers=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


def test_the_default_client_is_used(cluster):
    with Client(cluster) as client:
        assert client_of(None) is client
        assert client_of(client) is client
    with pytest.raises(ClusterError, match="closed"):
        client_of(client)
    with pytest.raises(ArgumentError, match="client=None, and there is no Dask client"):
        client_of(None)


def test_on_a_worker_its_own_client_is_used(cluster):
    def status() -> str:
        with client_of(None) as own:  # which Dask makes the default of the worker's process
            return own.status

    with Client(cluster, set_as_default=False) as client:
        assert client.submit(status).result(30) == "running"


def test_without_workers_patience_ends(cluster, monkeypatch):
    monkeypatch.setattr(worker_watch, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(worker_watch, "NO_WORKER_SECONDS", -1.0)
    with Client(cluster, set_as_default=False) as client:
        patience = Patience(client)
        patience.look()
        assert patience.threads == sum(client.nthreads().values())
        with pytest.raises(ClusterError, match="has had no worker"):
            patience._count(0)
    with pytest.raises(ClusterError, match="was lost"):
        patience.look()


def test_errors_of_others_pass_through(cluster):
    with Client(cluster, set_as_default=False) as client:
        patience = Patience(client)
        with pytest.raises(OSError, match="mine"), patience.explaining():
            raise OSError("mine")
        client.close()
        with pytest.raises(ClusterError, match="was lost"), patience.explaining():
            raise OSError("not mine")
