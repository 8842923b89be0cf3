"""Say which extra is missing where a bridge imports its neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.errors import MissingExtraError

__all__ = ["of_extra"]


@contextmanager
def of_extra(extra: str, module: str = "") -> Iterator[None]:
    """Import in this block what ``tidemill[extra]`` installs.

    ``module`` is who needs it; by default the bridge of the extra's name.

    Raises
    ------
    MissingExtraError
        If it is not installed; an ImportError, so what looks for optional packages finds it.

    Examples
    --------
    >>> try:
    ...     with of_extra("tsfresh"):
    ...         import no_such_package
    ... except ImportError as error:
    ...     print(error)
    tidemill.bridges.tsfresh needs no_such_package, which is not installed: pip install
    'tidemill[tsfresh]'
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"{module or f'tidemill.bridges.{extra}'} needs {error.name}, which is not installed: "
            f"pip install 'tidemill[{extra}]'"
        ) from None
