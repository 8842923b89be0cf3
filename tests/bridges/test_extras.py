"""Missing neighbours are named together with the extra that brings them."""

import pytest

from tidemill.bridges.extras import of_extra
from tidemill.errors import MissingExtraError, TidemillError


def test_the_extra_is_named():
    named = r"no_such_package.*tidemill\[xarray\]"
    with pytest.raises(MissingExtraError, match=named), of_extra("xarray"):
        import no_such_package  # noqa: F401


def test_it_is_an_import_error_for_those_who_look_for_optional_packages():
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(MissingExtraError, TidemillError)


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), of_extra("xarray"):
        1 / 0  # noqa: B018
