"""Features of data that already live on a Dask cluster, as futures.

:func:`submit_features` gives a future for each chunk of input, whose rows stay on the workers;
:func:`iter_features` brings them here one by one, as they are done. A chunk is a future or delayed
object of a frame, a path that workers read themselves, or a frame. No id may lie in two chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tidemill.errors import ArgumentError
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client, Future

    from tidemill.bridges.dask.frame_request import FrameRequest

__all__ = ["iter_features", "submit_features"]

#: One chunk of input: also a delayed object of a frame.
FrameSource = Any


def submit_features(
    frames: Iterable[FrameSource],
    settings: Any = None,
    kind_to_settings: Mapping[str, Any] | None = None,
    *,
    client: Client | None = None,
    column_id: Any,
    column_sort: Any = None,
    column_kind: Any = None,
    column_value: Any = None,
    kinds: Iterable[str] | None = None,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
    show_warnings: bool = False,
    storage_options: Mapping[str, str] | None = None,
) -> list[Future[Any]]:
    """Calculate features where the data are; returns before anything is calculated.

    A chunk's task depends on its frame, so Dask runs it where the frame is. If a worker dies, Dask
    calculates anew what it held, and a series that kills its process is named. A frame that lies
    here is scattered to one worker and lost with it: futures, delayed objects and paths are not.

    Parameters
    ----------
    frames : iterable of chunks
        Futures or delayed objects of frames, or of frames by kind; paths or URLs of ``.parquet``,
        ``.feather``, ``.arrow`` or ``.csv`` files, which workers read; or frames. All rows of an
        id lie in one chunk, which is not checked.
    settings : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive.
    kind_to_settings : mapping of kind to settings, optional
        Settings for individual kinds.
    client : distributed.Client, optional
        Default: that of the worker that this runs on, or the default of the process.
    column_id, column_sort, column_kind, column_value
        Roles of the columns, as in ``tidemill.extract_features``.
    kinds : iterable of str, optional
        All kinds of the long format, so that each chunk has all columns; by default a chunk has
        the columns of its own kinds.
    on_nan, on_duplicate, on_error : str
        Policies, as in ``tidemill.extract_features``. With ``on_error="nan"`` a series that kills
        its process has a row of NaN.
    show_warnings : bool
        Show warnings of custom calculators, in the workers' logs.
    storage_options : mapping of str to str, optional
        For URLs: key to the *name* of an environment variable, which each worker reads.

    Returns
    -------
    list of Future
        One for each chunk, in their order, of a frame as ``tidemill.extract_features`` gives it:
        float64[k, m], a row per id, ascending. Errors are raised by its ``result()``, with the
        worker's traceback: ``DataError`` and ``CalculationError`` name the series, and a chunk
        whose input failed has the error of the input.

    Raises
    ------
    InputError
        If an argument cannot be used, as far as that is known without the frames.
    ClusterError
        If the client has lost its scheduler.

    Examples
    --------
    >>> import pandas as pd
    >>> from distributed import Client
    >>> with Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0") as client:
    ...     frame = client.submit(pd.DataFrame, {"id": [1, 1, 2], "x": [1.0, 3.0, 5.0]})
    ...     (future,) = submit_features([frame], {"mean": None}, column_id="id")
    ...     future.result()
       x__mean
    1      2.0
    2      5.0
    """
    from tidemill.bridges.dask.futures import submit
    from tidemill.bridges.dask.patience import client_of

    request = _request(
        settings, kind_to_settings, (on_nan, on_duplicate, on_error),
        column_id=column_id, column_sort=column_sort, column_kind=column_kind,
        column_value=column_value, kinds=kinds, show_warnings=show_warnings,
        storage_options=storage_options,
    )  # fmt: skip
    return submit(client_of(client), frames, request)


def iter_features(
    frames: Iterable[FrameSource],
    settings: Any = None,
    kind_to_settings: Mapping[str, Any] | None = None,
    *,
    client: Client | None = None,
    column_id: Any,
    column_sort: Any = None,
    column_kind: Any = None,
    column_value: Any = None,
    kinds: Iterable[str] | None = None,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
    show_warnings: bool = False,
    storage_options: Mapping[str, str] | None = None,
    max_in_flight: int | None = None,
) -> Iterator[tuple[pd.Index[Any], pd.DataFrame]]:
    """Calculate features where the data are, and get them chunk by chunk, as they are done.

    Chunks are taken from ``frames`` as others are done, and a future is released when its part
    was taken, so memory stays flat however long ``frames`` is, if nobody else keeps them.

    Parameters
    ----------
    frames, settings, kind_to_settings, client, column_id, column_sort, column_kind, column_value
        As for :func:`submit_features`; ``frames`` may be a generator.
    kinds, on_nan, on_duplicate, on_error, show_warnings, storage_options
        As for :func:`submit_features`.
    max_in_flight : int, optional
        Chunks on the cluster at a time; default: two for each of its threads.

    Yields
    ------
    ids : Index[k]
        The ids of the chunk, ascending: the index of ``frame``.
    frame : DataFrame
        Their features, float64[k, m].

    Raises
    ------
    InputError
        If an argument or a chunk cannot be used.
    CalculationError
        If a calculator raises and ``on_error="raise"``, or a series kills its process.
    ClusterError
        If the scheduler is lost, or has had no worker for a minute, or a frame was lost for good.

    Examples
    --------
    >>> import pandas as pd
    >>> from distributed import Client
    >>> with Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0") as client:
    ...     frames = (pd.DataFrame({"id": [n, n], "x": [0.0, n]}) for n in range(3))
    ...     chunks = iter_features(frames, {"mean": None}, column_id="id", max_in_flight=1)
    ...     for ids, found in chunks:
    ...         print(list(ids), found["x__mean"].sum())
    [0] 0.0
    [1] 0.5
    [2] 1.0
    """
    from tidemill.bridges.dask.futures import stream
    from tidemill.bridges.dask.patience import client_of

    if max_in_flight is not None and max_in_flight < 1:
        raise ArgumentError(
            f"max_in_flight={max_in_flight} is not allowed; give 1 or more chunks, or None"
        )
    request = _request(
        settings, kind_to_settings, (on_nan, on_duplicate, on_error),
        column_id=column_id, column_sort=column_sort, column_kind=column_kind,
        column_value=column_value, kinds=kinds, show_warnings=show_warnings,
        storage_options=storage_options,
    )  # fmt: skip
    return stream(client_of(client), frames, request, max_in_flight)


def _request(
    settings: Any, by_kind: Any, policies: tuple[str, str, str], **given: Any
) -> FrameRequest:
    from tidemill.bridges.dask.frame_request import FrameRequest

    checked = Policies(*policies)  # type: ignore[arg-type]
    return FrameRequest.of(settings, by_kind, policies=checked, **given)
