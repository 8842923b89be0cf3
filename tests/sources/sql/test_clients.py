import pytest

from tidemill.errors import ArgumentError
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.clients import connected


@pytest.mark.parametrize(
    "url", ["postgresql://h/d", "mysql://h/d", "sqlite:///a.db", "duckdb:///a.duckdb"]
)
def test_a_missing_client_is_named_with_the_remedy(url):
    def load(name):
        raise ImportError(name=name)

    with (
        pytest.raises(ArgumentError, match=r"not installed: pip install 'tidemill\[sql\]'"),
        connected(Address.parse(url), load),
    ):
        pytest.fail("nothing was to be opened")
