"""The flows' signatures as type checkers and editors read them.

Written by ``python -m tidemill.orchestration.parameters`` from the table of parameters.
"""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["backfill", "extract", "extract_interval", "retention", "select"]


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
    *,
    input_timezone: str | None = None,
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
    on_duplicate: Literal["raise", "keep", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "nan",
    on_bad_file: Literal["raise", "quarantine"] = "quarantine",
    on_settings_change: Literal["refuse", "append", "recalculate"] = "refuse",
    checks: dict[str, Any] | None = None,
    retry_quarantined: bool = False,
    cluster: str = "threads",
    retries: int = 2,
    retry_delay_seconds: float = 60.0,
    wait_for_sink: float = 3600.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    series_seconds: float | None = None,
    stall_seconds: float = 60.0,
    report_url: str | None = None,
    table: str | None = None,
    query: str | None = None,
    time_format: str | None = None,
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    id_from_path: str | None = None,
    columns: list[str] | None = None,
    csv_delimiter: str | None = None,
    csv_decimal: str | None = None,
    csv_thousands: str | None = None,
    csv_encoding: str | None = None,
    csv_comment: str | None = None,
    csv_null: list[str] | None = None,
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
    *,
    input_timezone: str | None = None,
    on_nan: Literal["raise", "omit", "quarantine"] = "raise",
    on_duplicate: Literal["raise", "keep", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "raise",
    on_bad_file: Literal["raise", "quarantine"] = "raise",
    retry_quarantined: bool = False,
    cluster: str = "threads",
    wait_for_sink: float = 0.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    series_seconds: float | None = None,
    stall_seconds: float = 60.0,
    report_url: str | None = None,
    table: str | None = None,
    query: str | None = None,
    time_format: str | None = None,
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    id_from_path: str | None = None,
    columns: list[str] | None = None,
    csv_delimiter: str | None = None,
    csv_decimal: str | None = None,
    csv_thousands: str | None = None,
    csv_encoding: str | None = None,
    csv_comment: str | None = None,
    csv_null: list[str] | None = None,
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
    *,
    input_timezone: str | None = None,
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
    on_duplicate: Literal["raise", "keep", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "nan",
    on_bad_file: Literal["raise", "quarantine"] = "quarantine",
    on_settings_change: Literal["refuse", "append", "recalculate"] = "refuse",
    checks: dict[str, Any] | None = None,
    retry_quarantined: bool = False,
    cluster: str = "threads",
    retries: int = 2,
    retry_delay_seconds: float = 60.0,
    wait_for_sink: float = 3600.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    series_seconds: float | None = None,
    stall_seconds: float = 60.0,
    report_url: str | None = None,
    table: str | None = None,
    query: str | None = None,
    time_format: str | None = None,
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
    id_from_path: str | None = None,
    columns: list[str] | None = None,
    csv_delimiter: str | None = None,
    csv_decimal: str | None = None,
    csv_thousands: str | None = None,
    csv_encoding: str | None = None,
    csv_comment: str | None = None,
    csv_null: list[str] | None = None,
) -> dict[str, Any]:
    """See the flow ``extract-interval``."""
    raise NotImplementedError


def retention(
    tables: str | list[str],
    *,
    keep: str = "30d",
    drop_after: str | None = None,
    wait_for_sink: float = 3600.0,
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
) -> dict[str, Any]:
    """See the flow ``retention``."""
    raise NotImplementedError


def select(
    matrix: str,
    target: str,
    column_target: str,
    column_id: str | list[str] | None = None,
    *,
    ml_task: Literal["auto", "classification", "regression"] = "auto",
    fdr_level: float = 0.05,
    max_features: int | None = None,
    interval: str | None = None,
    output: str | None = None,
    relevance_file: str = "relevance.parquet",
    multiclass: bool = False,
    n_significant: int = 1,
    hypotheses_independent: bool = False,
    test_for_binary_target_real_feature: Literal["mann", "smir"] = "mann",
    max_bytes: int | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
) -> dict[str, Any]:
    """See the flow ``select``."""
    raise NotImplementedError
