"""What is asked of many frames: checked once at the door, completed on a worker by each frame.

A future's frame is not there yet when its features are asked for, so nothing that depends on its
columns can be decided then. A worker that has the frame decides it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Self

import pandas as pd

from tidemill.bridges.dask.calculate import (
    Container,
    FrameCalculation,
    kinds_of,
    register_customs,
    roles_of,
)
from tidemill.calculators.registry import find
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, SourceError
from tidemill.frames.arguments import OTHER_KINDS, read_settings
from tidemill.model.feature_names import check_kinds
from tidemill.model.policies import Policies
from tidemill.sources.frames.containers import has_time_index
from tidemill.sources.frames.roles import RoleLabels
from tidemill.storage.stores import Store

__all__ = ["FrameRequest", "check_path", "is_path"]

#: How a worker reads a file, by the end of its name.
_READERS: Mapping[str, Callable[[io.BytesIO], pd.DataFrame]] = {
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
    ".arrow": pd.read_feather,
    ".csv": pd.read_csv,
}


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """What is calculated of frames whose columns are not known yet.

    Make it with :meth:`of`.
    """

    plain: FrameCalculation  # without kinds; for frames without a DatetimeIndex
    timed: FrameCalculation  # for frames with one
    kinds: tuple[str, ...] | None  # of the long format; None: those that a frame has
    storage_options: Mapping[str, str]  # for files: key -> name of an environment variable

    @classmethod
    def of(
        cls,
        settings: Any,
        kind_to_settings: Mapping[str, Any] | None,
        *,
        column_id: Any,
        column_sort: Any = None,
        column_kind: Any = None,
        column_value: Any = None,
        kinds: Iterable[Any] | None = None,
        policies: Policies = Policies(),  # noqa: B008 (frozen)
        show_warnings: bool = False,
        storage_options: Mapping[str, str] | None = None,
    ) -> Self:
        """Check what can be checked without a frame.

        Raises
        ------
        InputError
            If settings, roles or kinds cannot be used.

        Examples
        --------
        >>> request = FrameRequest.of("minimal", None, column_id="id")
        >>> request.calculation(pd.DataFrame({"id": [1], "x": [0.5]})).kinds
        ('x',)
        """
        RoleLabels.of(column_id, column_sort, column_kind, column_value)
        if kinds is not None and column_kind is None:
            raise ArgumentError(
                f"kinds={list(kinds)} has no meaning without column_kind: the kinds are those of "
                "the columns or the keys; choose some with column_value, or leave it out"
            )

        def template(*, timed: bool) -> FrameCalculation:
            read = read_settings(settings, kind_to_settings, timed=timed)
            return FrameCalculation(
                json.dumps(read.canonical()), column_id, column_sort, column_kind, column_value,
                (), policies, show_warnings, _customs(read),
            )  # fmt: skip

        named = None if kinds is None else check_kinds(kinds)
        plain, timed = template(timed=False), template(timed=True)
        return cls(plain, timed, named, dict(storage_options or {}))

    def load(self, item: Container | str | os.PathLike[str]) -> Container:
        """A frame as it is, or read from the file that is named instead.

        Raises
        ------
        SourceError
            If the file is not there or cannot be read.
        """
        if not is_path(item):
            return item  # type: ignore[return-value]
        url = os.fspath(item)  # type: ignore[arg-type]
        folder, _, name = url.rpartition("/")
        try:
            content = Store.open(folder or "/"[: url.startswith("/")] or ".", self.storage_options)
            return _READERS[check_path(url)](io.BytesIO(content.read(name)))
        except FileNotFoundError as error:
            raise SourceError(
                f"{url} is not there for the worker; give a path or URL that every worker reaches"
            ) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"{url} cannot be read: {error}") from error

    def calculation(self, container: Container) -> FrameCalculation:
        """What is calculated of this frame.

        Raises
        ------
        InputError
            If a role names no column of it, or no feature is left.
        """
        base = self.timed if has_time_index(container) else self.plain
        register_customs(base.customs)
        labels = RoleLabels.of(
            base.column_id, base.column_sort, base.column_kind, base.column_value
        )
        if labels.kind is None or self.kinds is not None or isinstance(container, Mapping):
            calculation = replace(base, kinds=kinds_of(container, labels, self.kinds))
            assert calculation.columns is not None  # raises if settings and kinds do not fit
            return calculation
        indexed, _ = roles_of(container, labels)
        found = indexed[labels.kind].dropna().unique()
        return replace(base, kinds=tuple(sorted(check_kinds(found))))


def _customs(settings: Settings) -> tuple[Any, ...]:
    """Functions of one's own that the settings name."""
    kinds = [*settings.kinds, OTHER_KINDS]
    names = {name for kind in kinds for name, _ in settings.features_for(kind)}
    return tuple(one for one in map(find, sorted(names)) if one.function)


def is_path(item: object) -> bool:
    """Whether a file is named, and not given as a frame."""
    return isinstance(item, str | os.PathLike)


def check_path(path: str | os.PathLike[str]) -> str:
    """The end of a file's name, by which it is read.

    Raises
    ------
    ArgumentError
        If no such file can be read.

    Examples
    --------
    >>> check_path("s3://bucket/day.parquet")
    '.parquet'
    """
    suffix = PurePath(os.fspath(path)).suffix
    if suffix not in _READERS:
        raise ArgumentError(
            f"frames: {os.fspath(path)!r} is no file that can be read; allowed are "
            f"{', '.join(sorted(_READERS))}: read others by a function of your own, as in "
            "client.map(read, paths), and give its futures"
        )
    return suffix
