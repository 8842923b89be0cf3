"""Secrets stay in the environment."""

from __future__ import annotations

import pickle

import pytest

from tidemill.errors import ArgumentError
from tidemill.storage.options import check_options, resolve_options
from tidemill.storage.stores import Store


@pytest.mark.parametrize(
    "literal",
    [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "eu-central-1",
        "true",
        "",
        "A" * 200,
        None,
        7,
    ],
)
def test_a_literal_is_refused_without_being_repeated(literal):
    with pytest.raises(ArgumentError, match="name of an environment variable") as caught:
        check_options({"aws_secret_access_key": literal})
    assert not literal or str(literal) not in str(caught.value)
    assert "aws_secret_access_key" in str(caught.value)


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    with pytest.raises(ArgumentError, match=r"'aws_region'.*'NOT_SET_HERE'"):
        resolve_options({"aws_region": "NOT_SET_HERE"})


def test_values_are_resolved_at_use(monkeypatch):
    store = Store.open("s3://bucket/x", {"aws_region": "LATER"})
    monkeypatch.setenv("LATER", "")
    with pytest.raises(ArgumentError, match="LATER"):
        store.read("a")


def test_a_pickle_carries_no_secret(s3_options):
    store = Store.open("s3://matrices/x", s3_options)
    store.write("warm", b"connected")
    for data in (pickle.dumps(store), repr(store).encode(), pickle.dumps(store.child("y"))):
        assert b"not-a-secret" not in data
    assert pickle.loads(pickle.dumps(store)).read("warm") == b"connected"  # noqa: S301


def test_unknown_options_are_named(monkeypatch):
    monkeypatch.setenv("SOME_VALUE", "x")
    with pytest.raises(ArgumentError, match="s3://bucket"):
        Store.open("s3://bucket/x", {"no_such_option": "SOME_VALUE"}).read("a")
