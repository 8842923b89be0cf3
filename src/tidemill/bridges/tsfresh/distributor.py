"""The distributor that tsfresh's functions take: a flow per call, on a cluster that stays open."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from tidemill.bridges.extras import of_extra
from tidemill.bridges.tsfresh.calls import Call
from tidemill.bridges.tsfresh.flow import carry_out
from tidemill.bridges.tsfresh.open_cluster import OpenCluster
from tidemill.bridges.tsfresh.work import MappedFunction, NamingFunction
from tidemill.errors import ArgumentError, ClusterError
from tidemill.orchestration.certificates import check_certificates
from tidemill.orchestration.cluster import ClusterSpec, parse_cluster
from tidemill.orchestration.main_guard import check_main_guard

with of_extra("tsfresh"):
    from tqdm import tqdm
    from tsfresh.utilities.distribution import (
        IterableDistributorBaseClass,
        _function_with_partly_reduce,
    )

__all__ = ["PrefectDistributor"]


class PrefectDistributor(IterableDistributorBaseClass):  # type: ignore[misc]  # it has no types
    """Runs tsfresh's calculators as a Prefect flow on Dask.

    Give it to ``tsfresh.extract_features`` or ``roll_time_series`` as ``distributor``. Each call is
    a flow run with the steps of tsfresh's distributors as its task runs. The cluster starts with
    the first call and stays for the next one; ``shutdown``, a ``with`` block or the end of the
    program ends it.

    Parameters
    ----------
    cluster : str or path
        ``none`` (this process, without Prefect and Dask), ``threads[:N]``, ``processes[:N]``,
        ``tcp://host:port``, ``tls://host:port``, or a cluster file, as for tidemill's flows.
    n_workers : int, optional
        Workers of ``threads`` and ``processes``; takes the place of their number.
    disable_progressbar : bool
        Show no progress bar.
    progressbar_title : str
        Its title, and the name of the flow run.
    show_warnings : bool
        Show warnings of calculators, where they run.

    Raises
    ------
    ArgumentError
        If ``cluster`` or ``n_workers`` is not allowed.
    MissingExtraError
        On import, if tsfresh is not installed.

    Notes
    -----
    The interface is that of ``tsfresh.utilities.distribution`` (tsfresh 0.21).

    Examples
    --------
    >>> with PrefectDistributor("none", disable_progressbar=True) as distributor:
    ...     distributor.map_reduce(lambda item: [item, -item], [1, 2], chunk_size=1)
    [1, -1, 2, -2]
    """

    def __init__(
        self,
        cluster: str | os.PathLike[str] = "processes:2",
        *,
        n_workers: int | None = None,
        disable_progressbar: bool = False,
        progressbar_title: str = "Feature Extraction",
        show_warnings: bool = True,
    ) -> None:
        self._spec = _spec_of(cluster, n_workers)
        self.disable_progressbar = disable_progressbar
        self.progressbar_title = progressbar_title
        self.show_warnings = show_warnings
        self._lock = threading.RLock()
        self._held: list[OpenCluster] = []  # none or one; the finalizer must not hold the object
        self._finalizer = weakref.finalize(self, _close_held, self._held)

    @property
    def n_workers(self) -> int:
        """Threads of all workers; a cluster whose size is not known is asked."""
        if self._spec.kind == "none":
            return 1
        if not self._held and self._spec.kind in {"threads", "processes"}:
            return self._spec.size or os.cpu_count() or 1
        with self._lock:
            return sum(self._opened().client.nthreads().values()) or 1

    def map_reduce(
        self,
        map_function: Callable[..., Iterable[Any]],
        data: Iterable[Any],
        function_kwargs: Mapping[str, Any] | None = None,
        chunk_size: int | None = None,
        data_length: int | None = None,
    ) -> list[Any]:
        """Call a function for each item, and join the lists that it returns.

        Parameters
        ----------
        map_function : called with an item and ``function_kwargs``; returns a list
        data : the items
        function_kwargs : further arguments of the function
        chunk_size : items of a chunk; by default five chunks for each thread
        data_length : number of items, if they have no length

        Returns
        -------
        list
            The items of all lists, in the order of ``data``.

        Raises
        ------
        ValueError
            If ``data`` cannot be iterated over.
        ClusterError
            If the cluster has no workers, or is lost.
        Exception
            What the function raises; notes say for which item, and show the remote traceback.
        """
        if not isinstance(data, Iterable):
            raise ArgumentError(
                f"data={type(data).__name__} has no items to distribute; give an iterable"
            )
        if data_length is None:
            if not isinstance(data, Sized):
                raise ArgumentError(f"data={type(data).__name__} has no length; give data_length")
            data_length = len(data)
        options = {"map_function": NamingFunction(map_function), "kwargs": function_kwargs}
        results = self._carry_out(
            _function_with_partly_reduce, data, data_length, chunk_size, options, self.partition
        )
        self.close()
        return list(itertools.chain.from_iterable(results))

    def distribute(
        self,
        func: Callable[..., Any],
        partitioned_chunks: Iterable[list[Any]],
        kwargs: Mapping[str, Any],
    ) -> Iterator[Any]:
        """Call ``func`` with each chunk and ``kwargs``; the results, in the order of the chunks.

        Raises
        ------
        ClusterError
            If the cluster has no workers, or is lost.
        """
        chunks = list(partitioned_chunks)
        yield from self._carry_out(func, chunks, len(chunks), 1, kwargs, _as_they_are)

    def close(self) -> None:
        """End a call. The cluster stays for the next one: see :meth:`shutdown`."""

    def shutdown(self) -> None:
        """End the cluster: processes, ports and folders. A later call starts it again."""
        with self._lock:
            _close_held(self._held)

    def __deepcopy__(self, memo: object) -> Self:
        """Copies share the cluster, as those do that scikit-learn makes of an estimator."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets a distributor whose cluster has not started."""
        shown = ("disable_progressbar", "progressbar_title", "show_warnings")
        options = {name: getattr(self, name) for name in shown}
        return partial(type(self), self._spec.text, **options), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _carry_out(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        n_items: int,
        chunk_size: int | None,
        options: Mapping[str, Any],
        partition: Callable[..., Iterable[Any]],
    ) -> list[Any]:
        work = MappedFunction(function, dict(options), self.show_warnings)
        call = Call(
            items, n_items, chunk_size, self.calculate_best_chunk_size, partition, work, self._bar
        )
        with self._lock:
            if self._spec.kind == "none":
                return call.carry_out_here()
            with self._ending_if_lost():
                return carry_out(call, self._opened().spec, self.progressbar_title)

    def _bar(self, chunks: int) -> Any:
        return tqdm(total=chunks, desc=self.progressbar_title, disable=self.disable_progressbar)

    def _opened(self) -> OpenCluster:
        """The cluster; started, unless there is one that lives."""
        if self._held and not self._held[0].is_alive:
            _close_held(self._held)
        if not self._held:
            check_main_guard(self._spec)
            check_certificates(self._spec.text, self._spec.keywords)
            self._held.append(OpenCluster.open(self._spec))
        return self._held[0]

    @contextmanager
    def _ending_if_lost(self) -> Iterator[None]:
        """End the cluster if it is lost, or if the call is stopped: workers would go on."""
        try:
            yield
        except ClusterError as error:
            self.shutdown()
            # Parts are what flows keep; of a call nothing is kept.
            raise type(error)(
                *(one.replace(": finished parts are kept", "") for one in error.args)
            ) from error
        except KeyboardInterrupt:
            self.shutdown()
            raise KeyboardInterrupt(
                "stopped, and the cluster with it; a later call of the distributor starts it again"
            ) from None


def _spec_of(cluster: Any, n_workers: Any) -> ClusterSpec:
    if not isinstance(cluster, str | os.PathLike):
        raise ArgumentError(
            f"cluster={cluster!r} is not allowed; give a text such as 'processes:2' or "
            "'tcp://host:port', and the number of workers as n_workers"
        )
    spec = parse_cluster(cluster)
    if n_workers is None:
        return spec
    if spec.kind not in {"threads", "processes"}:
        raise ArgumentError(
            f"n_workers={n_workers} goes with threads and processes only; "
            f"cluster={spec.text!r} has the workers that it has"
        )
    if not isinstance(n_workers, int) or n_workers < 1:
        raise ArgumentError(f"n_workers={n_workers!r} is not allowed; give 1 or more")
    return parse_cluster(f"{spec.kind}:{n_workers}")


def _as_they_are(chunks: Iterable[Any], chunk_size: int) -> Iterable[Any]:  # noqa: ARG001
    return chunks


def _close_held(held: list[OpenCluster]) -> None:
    while held:
        held.pop().close()
