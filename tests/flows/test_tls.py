"""A scheduler with certificates, from the flow's argument to the published matrix."""

from __future__ import annotations

import json
import time

import dask
import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL

import tidemill
from tidemill.errors import ClusterError
from tidemill.flows.extract import extract

from ..support import programs
from ..support.certificates import make_authority, tls_scheduler, tls_worker
from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_input(tmp_path_factory.mktemp("input"), n_ids=4)


@pytest.fixture
def authorities(tmp_path):
    return [make_authority(tmp_path / name) for name in ("ours", "other")]


@pytest.fixture
def run(series, tmp_path):
    """Call the flow; the matrix."""

    def call(sink, cluster):
        sink = str(tmp_path / sink)
        extract(**series.arguments, sink=sink, settings="minimal", cluster=cluster)
        return tidemill.read_matrix(sink)

    return call


def settings_of(authority):
    """Dask's configuration with the client's certificates."""
    given = {
        "ca-file": authority.ca,
        "client.cert": authority.certificate,
        "client.key": authority.key,
    }
    return dask.config.set({f"distributed.comm.tls.{name}": file for name, file in given.items()})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prefect_server")
def test_with_certificates_a_remote_cluster_calculates_the_same(authorities, series, run, tmp_path):
    ours, other = authorities
    expected = run("expected", "none")
    with tls_scheduler(ours) as address:
        file = tmp_path / "cluster.json"
        keywords = {"address": address, "client_kwargs": {"security": ours.security}}
        file.write_text(json.dumps(keywords))
        with tls_worker(ours, address), tls_worker(ours, address):
            pd.testing.assert_frame_equal(run("by_file", str(file)), expected)
            command = programs.extraction(
                series.path,
                tmp_path / "by_command",
                *series.options,
                "--settings=minimal",
                f"--cluster={address}",
                environment={**ours.environment, "PREFECT_API_URL": PREFECT_API_URL.value()},
            )
            with command as started:
                started.finishes()
            pd.testing.assert_frame_equal(
                tidemill.read_matrix(str(tmp_path / "by_command")), expected
            )
        began = time.monotonic()
        with settings_of(other), pytest.raises(ClusterError, match="certificate is not trusted"):
            run("refused", address)
        assert time.monotonic() - began < 60  # a second on a quiet machine
        assert_nothing_left(tmp_path / "refused")


def test_without_certificates_nothing_is_started(series, tmp_path):
    """Neither a server nor a run; a person reads one sentence."""
    sink = tmp_path / "matrix"
    command = programs.extraction(
        series.path, sink, *series.options, "--cluster=tls://127.0.0.1:9",
        environment={"PREFECT_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    with command as started:
        assert started.wait() == 1
        assert "needs certificates; set distributed.comm.tls.ca-file" in started.output
        assert "Traceback" not in started.output
    assert not sink.exists()
    assert not list(tmp_path.glob("home/*.db"))
