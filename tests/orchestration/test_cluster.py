"""The argument ``cluster``."""

from __future__ import annotations

import json

import pytest

from tidemill.errors import ArgumentError
from tidemill.orchestration.cluster import parse_cluster

KEYWORDS = {"cluster_class": "distributed.LocalCluster", "cluster_kwargs": {"n_workers": 3}}


@pytest.mark.parametrize(
    ("text", "kind", "size"),
    [
        ("none", "none", None),
        ("threads", "threads", None),
        ("threads:4", "threads", 4),
        ("processes", "processes", None),
        ("processes:2", "processes", 2),
        ("tcp://127.0.0.1:8786", "address", None),
        ("tls://scheduler.internal:8786", "address", None),
    ],
)
def test_words_and_addresses(text, kind, size):
    spec = parse_cluster(text)
    assert (spec.text, spec.kind, spec.size) == (text, kind, size)
    assert spec.address == (text if kind == "address" else None)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_local_clusters_listen_on_loopback_only(kind):
    keywords = parse_cluster(kind).keywords["cluster_kwargs"]
    assert keywords["dashboard_address"] == "127.0.0.1:0"
    assert keywords.get("host", "127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_file_holds_keywords_as_they_are(suffix, tmp_path):
    path = tmp_path / f"cluster{suffix}"
    path.write_text(json.dumps(KEYWORDS))  # which is YAML too
    spec = parse_cluster(path)
    assert (spec.kind, spec.keywords) == ("file", KEYWORDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not known; use none, threads"),
        ("thread", "is not known"),
        ("threads:", "is not known"),
        ("threads:0", "at least one is needed"),
        ("processes:-1", "is not known"),
        ("tcp://host", "is not known"),
        ("http://host:1", "is not known"),
        ("nowhere.yaml", "cannot be read: No such file"),
    ],
)
def test_what_is_not_known_is_refused_with_the_remedy(text, message):
    with pytest.raises(ArgumentError, match=message) as refused:
        parse_cluster(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "does not parse"),
        ("- a list", "holds no keywords"),
        ("client_kwargs: 5", "client_kwargs holds no keywords: 5"),
        ("clusterclass: x", "unknown keywords clusterclass; allowed: adapt_kwargs, address"),
    ],
)
def test_a_file_with_something_else_is_refused(content, message, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=message):
        parse_cluster(path)
