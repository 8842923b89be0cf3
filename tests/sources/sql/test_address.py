from pathlib import Path

import pytest

from tidemill.errors import ArgumentError, SourceError
from tidemill.sources.sql.address import Address, is_sql


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/d",
        "postgres://h/d",
        "mysql://h/d",
        "MariaDB://h/d",
        "sqlite:///a.db",
        "DuckDB:///a.duckdb",
    ],
)
def test_urls_of_databases_are_told_from_files(url):
    assert is_sql(url)
    assert is_sql(["a.parquet", url])
    assert not is_sql("s3://bucket/sqlite")
    assert not is_sql(Path("/data/sqlite:"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:hush@host/plant",
        "postgresql://host/plant?user=reader&password=hush",
        "postgresql://host/plant?sslpassword=hush",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url):
    with pytest.raises(ArgumentError, match="carries a password") as refused:
        Address.parse(url)
    assert "hush" not in str(refused.value)
    assert "storage_options={'password': 'PGPASSWORD'}" in str(refused.value)


def test_the_variable_that_is_advised_is_that_of_the_database():
    with pytest.raises(ArgumentError, match=r"storage_options={'password': 'MYSQL_PWD'}"):
        Address.parse("MySQL://reader:hush@host/plant")


def test_the_password_comes_from_a_variable_and_shows_nowhere(monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", "hu/sh@1")
    address = Address.parse("postgresql://reader@host:5433/plant", {"password": "PLANT_PASSWORD"})
    assert address.secret_url("postgresql") == "postgresql://reader:hu%2Fsh%401@host:5433/plant"
    assert "sh" not in repr(address)
    assert address.without_password("no hu/sh@1\n nor hu%2Fsh%401") == "no *** nor ***"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("PLANT_PASSWORD", raising=False)
    with pytest.raises(ArgumentError, match="PLANT_PASSWORD"):
        Address.parse("postgresql://reader@host/plant", {"password": "PLANT_PASSWORD"})


@pytest.mark.parametrize("url", ["postgresql://host", "sqlite://", "duckdb:///", "sqlite://a.db"])
def test_a_url_without_a_database_is_refused(url):
    with pytest.raises(ArgumentError, match="names no database; write"):
        Address.parse(url)


def test_paths_are_absolute_with_four_slashes_and_unquoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Address.parse("sqlite:////data/my%20plant.db").path == Path("/data/my plant.db")
    assert Address.parse("sqlite:///plant.db").path == tmp_path / "plant.db"
    with pytest.raises(SourceError, match="four slashes"):
        Address.parse("sqlite:///plant.db").existing_file()
