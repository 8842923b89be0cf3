"""Data of Dask at the in-memory door: recognise them, and hand them to their bridge.

Nothing here imports Dask: whoever has such data has imported it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from tidemill.errors import ArgumentError

__all__ = ["check_arguments", "extract_from_dask", "holds_dask", "is_lazy", "refuse_dask_arguments"]

BRIDGE = "tidemill.bridges.dask.door"


def holds_dask(container: object) -> bool:
    """Whether the container, or anything in a list or dict, is Dask's.

    Examples
    --------
    >>> holds_dask([1, 2])
    False
    """
    held = [container]
    if isinstance(container, Mapping):
        held = list(container.values())
    elif isinstance(container, list | tuple):
        held = list(container)
    return any(type(one).__module__.partition(".")[0] in {"dask", "distributed"} for one in held)


def is_lazy(container: object, *, lazy: bool) -> bool:
    """Whether a Dask DataFrame comes out; a list of futures or of delayed frames gives a frame."""
    return lazy and not isinstance(container, list | tuple)


def check_arguments(
    *,
    lazy: bool,
    n_jobs: Any,
    chunksize: Any,
    distributor: Any,
    profile: bool,
    impute_function: Any,
    pivot: bool,
) -> None:
    """Refuse arguments that have no meaning for data of Dask, each with what replaces it.

    Raises
    ------
    ArgumentError
        If one is given.

    Examples
    --------
    >>> check_arguments(lazy=True, n_jobs=2, chunksize=None, distributor=None, profile=False,
    ...     impute_function=None, pivot=True)
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: n_jobs=2 has no meaning for data of Dask: the threads are those
    of its workers, as in LocalCluster(threads_per_worker=2); leave it out
    """
    if n_jobs is not None:
        raise _without_meaning(
            f"n_jobs={n_jobs}",
            "the threads are those of its workers, as in LocalCluster(threads_per_worker=2)",
        )
    if chunksize is not None:
        raise _without_meaning(
            f"chunksize={chunksize}",
            "a partition is a task; other sizes are made by data.repartition(npartitions=...)",
        )
    if distributor is not None:
        raise _without_meaning(
            f"distributor={type(distributor).__name__}", "they are calculated where they are"
        )
    if profile:
        raise _without_meaning(
            "profile=True", "profile the workers, as with client.profile(filename='profile.html')"
        )
    if lazy and impute_function is not None:
        raise ArgumentError(
            "impute_function would see one partition at a time: call it with the computed matrix, "
            "or give lazy=False"
        )
    if lazy and not pivot:
        raise ArgumentError(
            "pivot=False makes a list, which cannot be lazy: give lazy=False, or leave it out"
        )


def _without_meaning(given: str, instead: str) -> ArgumentError:
    return ArgumentError(f"{given} has no meaning for data of Dask: {instead}; leave it out")


def refuse_dask_arguments(*, client: Any, kinds: Any, aligned: bool) -> None:
    """Refuse arguments that only data of Dask need.

    Raises
    ------
    ArgumentError
        If one is given.
    """
    given = {"client": client, "kinds": kinds, "aligned": aligned or None}
    for name, value in given.items():
        if value is not None:
            shown = type(value).__name__ if name == "client" else value
            raise ArgumentError(
                f"{name}={shown} is for data of Dask only: leave it out; the kinds of pandas "
                "frames are known, and a cluster calculates what dask.dataframe.from_pandas holds"
            )


def extract_from_dask(container: Any, arguments: Mapping[str, Any]) -> Any:
    """The matrix of data of Dask: a lazy Dask DataFrame, or a frame.

    Parameters
    ----------
    container : the data
    arguments : fields of ``tidemill.bridges.dask.request.DaskRequest``
    """
    return importlib.import_module(BRIDGE).extract(container, **arguments)
