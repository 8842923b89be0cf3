"""Certificates: given, missing, unreadable, of another authority."""

from __future__ import annotations

import time
from pathlib import Path

import dask
import pytest

from tidemill.errors import ArgumentError, ClusterError
from tidemill.orchestration import cluster as clusters
from tidemill.orchestration.certificates import check_certificates, security_of
from tidemill.orchestration.cluster import ClusterSpec, check_scheduler

from ..support.certificates import make_authority, tls_scheduler

ADDRESS = "tls://scheduler.internal:8786"


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("certificates") / "other")


@pytest.fixture(scope="module")
def secured(ours):
    with tls_scheduler(ours) as address:
        yield address


def spec_of(address, security=None):
    keywords = {"address": address, "client_kwargs": {"security": security}}
    return ClusterSpec(address, "address", keywords=keywords)


def check(security, address=ADDRESS):
    spec = spec_of(address, security)
    check_certificates(spec.text, spec.keywords)


@pytest.mark.parametrize("address", ["tcp://scheduler.internal:8786", None])
def test_only_tls_needs_certificates(address):
    check(None, address)


def test_tcp_is_refused_where_encryption_is_required():
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(ArgumentError, match=r"is not encrypted, .* use tls://"),
    ):
        check(None, "tcp://scheduler.internal:8786")


@pytest.mark.parametrize(
    "keywords",
    [{"cluster_kwargs": {"n_workers": 2}}, {"cluster_class": "distributed.LocalCluster"}],
)
def test_a_local_cluster_needs_certificates_where_encryption_is_required(keywords, ours):
    check_certificates("two.yaml", keywords)
    with dask.config.set({"distributed.comm.require-encryption": True}):
        with pytest.raises(ArgumentError, match=r"'two\.yaml' .* give security: true in its"):
            check_certificates("two.yaml", keywords)
        for good in ({"security": True}, {"protocol": "inproc"}):
            check_certificates("two.yaml", {**keywords, "cluster_kwargs": good})
        files = {"ca-file": ours.ca, "scheduler.cert": ours.certificate}
        with dask.config.set(
            {f"distributed.comm.tls.{name}": file for name, file in files.items()}
        ):
            check_certificates("two.yaml", keywords)
        check_certificates("none", {})
        check_certificates("kubernetes.yaml", {"cluster_class": "dask_kubernetes.KubeCluster"})


def test_none_at_all_is_refused_with_all_ways_to_give_them():
    with pytest.raises(ArgumentError) as refused:
        check(None)
    sentence = str(refused.value)
    assert f"cluster='{ADDRESS}' needs certificates" in sentence
    for word in ("distributed.comm.tls.ca-file", "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        assert word in sentence
    assert "tls_client_cert" in sentence


def test_what_cannot_be_used_is_named(ours, other, tmp_path):
    gone, text = tmp_path / "gone.pem", tmp_path / "text.pem"
    text.write_text("no certificate")
    check(ours.security)
    for change, message in (
        ({"tls_ca_file": str(gone)}, "ca_file='.*gone.pem' cannot be read: No such file"),
        ({"tls_client_key": str(gone)}, "key='.*gone.pem' cannot be read: No such file"),
        ({"tls_ca_file": str(text)}, "cannot be used .*text.pem"),
        ({"tls_client_key": other.key}, "cannot be used .*KEY_VALUES_MISMATCH"),
        ({"tls_key": "x"}, "Unknown parameters: .*tls_key"),
    ):
        with pytest.raises(ArgumentError, match=message):
            check({**ours.security, **change})
    with pytest.raises(ArgumentError, match="security=True names no certificates"):
        check(True)


def test_a_key_may_stand_in_the_file_of_the_certificate(ours, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(Path(ours.certificate).read_text() + Path(ours.key).read_text())
    check({"tls_ca_file": ours.ca, "tls_client_cert": str(both)})


def test_one_that_was_made_already_is_taken_as_it_is(ours):
    made = security_of(ADDRESS, ours.security)
    assert security_of(ADDRESS, made) is made


def test_both_sides_must_trust_each_other(secured, ours, other):
    """Never a wait: each is refused by the first connection."""
    check_scheduler(spec_of(secured, ours.security))
    began = time.monotonic()
    with pytest.raises(ClusterError, match="scheduler's certificate is not trusted"):
        check_scheduler(spec_of(secured, other.security))
    stranger = {**other.security, "tls_ca_file": ours.ca}
    with pytest.raises(ClusterError, match="the scheduler refuses the client's certificate"):
        check_scheduler(spec_of(secured, stranger))
    assert time.monotonic() - began < 20


def test_a_scheduler_without_tls_is_named(scheduler, ours):
    spec = spec_of(scheduler.replace("tcp", "tls"), ours.security)
    with pytest.raises(ClusterError, match="does not speak TLS; start it with certificates"):
        check_scheduler(spec)


def test_a_scheduler_with_tls_that_is_taken_for_one_without_is_named(secured, monkeypatch):
    """It waits for the client to begin, and so does the client."""
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 1.0)
    with pytest.raises(ClusterError, match="no answer; with certificates its address begins with"):
        check_scheduler(spec_of(secured.replace("tls", "tcp")))
