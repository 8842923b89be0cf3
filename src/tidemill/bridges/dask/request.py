"""The arguments of ``extract_features`` beside data of Dask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from distributed import Client

from tidemill.bridges.dask.calculate import FrameCalculation
from tidemill.model.policies import Policies
from tidemill.sources.frames.containers import Container

__all__ = ["DaskRequest"]


@dataclass(frozen=True, slots=True)
class DaskRequest:
    """The arguments of ``extract_features`` that say what is calculated, and where."""

    settings: Any
    by_kind: Mapping[str, Any] | None
    column_id: Any
    column_sort: Any
    column_kind: Any
    column_value: Any
    policies: Policies
    show_warnings: bool
    client: Client | None
    lazy: bool
    kinds: Iterable[Any] | None
    aligned: bool

    def calculation(self, sample: Container, kinds: Iterable[Any] | None) -> FrameCalculation:
        """What to calculate of frames like the sample."""
        return FrameCalculation.of(
            sample,
            self.settings,
            self.by_kind,
            column_id=self.column_id,
            column_sort=self.column_sort,
            column_kind=self.column_kind,
            column_value=self.column_value,
            kinds=kinds,
            policies=self.policies,
            show_warnings=self.show_warnings,
        )
