"""The flows' signatures as type checkers and editors read them.

Written by ``python -m tidemill.orchestration.parameters`` from the table of parameters.
"""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["backfill", "extract", "extract_interval"]


def backfill(
    source: str | list[str],
    sink: str,
    column_id: str | list[str],
    column_time: str,
    start: str,
    end: str,
    column_kind: str | None = None,
    column_value: str | list[str] | None = None,
    settings: str | dict[str, Any] = "comprehensive",
    kind_to_settings: dict[str, Any] | None = None,
    every: str = "1d",
    timezone: str = "UTC",
    anchor: str | None = None,
    window: str | None = None,
    lag: str = "0s",
    order: Literal["oldest first", "newest first"] = "oldest first",
    concurrency: int = 2,
    dry_run: bool = False,
    recalculate: bool = False,
    on_nan: Literal["raise", "omit", "quarantine"] = "quarantine",
    on_duplicate: Literal["raise", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "nan",
    on_settings_change: Literal["refuse", "append", "recalculate"] = "refuse",
    checks: dict[str, Any] | None = None,
    cluster: str = "threads",
    retries: int = 2,
    retry_delay_seconds: float = 60.0,
    wait_for_sink: float = 3600.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    isolation_seconds: float = 300.0,
) -> dict[str, Any]:
    """See the flow ``backfill``."""
    raise NotImplementedError


def extract(
    source: str | list[str],
    sink: str,
    column_id: str | list[str],
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | list[str] | None = None,
    settings: str | dict[str, Any] = "comprehensive",
    kind_to_settings: dict[str, Any] | None = None,
    on_nan: Literal["raise", "omit", "quarantine"] = "raise",
    on_duplicate: Literal["raise", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "raise",
    cluster: str = "threads",
    wait_for_sink: float = 0.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    isolation_seconds: float = 300.0,
) -> dict[str, Any]:
    """See the flow ``extract``."""
    raise NotImplementedError


def extract_interval(
    source: str | list[str],
    sink: str,
    column_id: str | list[str],
    column_time: str,
    column_kind: str | None = None,
    column_value: str | list[str] | None = None,
    settings: str | dict[str, Any] = "comprehensive",
    kind_to_settings: dict[str, Any] | None = None,
    every: str = "1d",
    timezone: str = "UTC",
    anchor: str | None = None,
    window: str | None = None,
    lag: str = "0s",
    lookback: int | None = None,
    interval_start: str | None = None,
    recalculate: bool = False,
    on_empty: Literal["wait", "skip", "fail"] = "fail",
    max_wait: float = 3600.0,
    on_nan: Literal["raise", "omit", "quarantine"] = "quarantine",
    on_duplicate: Literal["raise", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "nan",
    on_settings_change: Literal["refuse", "append", "recalculate"] = "refuse",
    checks: dict[str, Any] | None = None,
    cluster: str = "threads",
    retries: int = 2,
    retry_delay_seconds: float = 60.0,
    wait_for_sink: float = 3600.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    isolation_seconds: float = 300.0,
) -> dict[str, Any]:
    """See the flow ``extract-interval``."""
    raise NotImplementedError
