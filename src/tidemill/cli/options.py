"""Arguments and options of the command's subcommands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

__all__ = [
    "BACKFILL_OPTIONS",
    "COSTS_OPTIONS",
    "INTERVAL_OPTIONS",
    "JOB_OPTIONS",
    "MODULE_OPTION",
    "STORAGE_OPTION",
    "with_options",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _one_or_several(_context: Any, _option: Any, given: tuple[str, ...]) -> Any:
    return list(given) if len(given) > 1 else next(iter(given), None)


STORAGE_OPTION = click.option(
    "--storage-option",
    "storage_options",
    multiple=True,
    metavar="KEY=VARIABLE",
    help="Option of the object store, and the environment variable that holds its value.",
)
INPUT_OPTIONS = (
    click.argument("source", metavar="INPUT"),
    click.option(
        "--column-id",
        required=True,
        multiple=True,
        callback=_one_or_several,
        help="Which series a row belongs to; given several times, the columns together say it.",
    ),
    click.option("--column-sort", help="Orders the rows of a series."),
    click.option("--column-kind", help="Names the kind of each row (long format)."),
    click.option(
        "--column-value",
        multiple=True,
        callback=_one_or_several,
        help="Values; default: every other column is a kind. May be given several times.",
    ),
)
SETTINGS_OPTION = click.option(
    "--settings",
    default="comprehensive",
    show_default=True,
    help="minimal, efficient, comprehensive, a settings file, or settings as JSON.",
)


def _policy_options(on_nan: str, on_error: str) -> tuple[Decorator, ...]:
    """The policies for data, with the defaults of the flow that they are for."""
    return tuple(
        click.option(name, type=click.Choice(choices), default=default, show_default=True)
        for name, choices, default in (
            ("--on-nan", ["raise", "omit", "quarantine"], on_nan),
            ("--on-duplicate", ["raise", "first", "last", "mean"], "raise"),
            ("--on-error", ["raise", "nan"], on_error),
        )
    )


POLICY_OPTIONS = _policy_options("raise", "raise")
MODULE_OPTION = click.option(
    "--module", "modules", multiple=True, help="Module that registers custom calculators."
)
CLUSTER_OPTION = click.option(
    "--cluster",
    default="threads",
    show_default=True,
    help="none, threads[:N], processes[:N], tcp://host:port, or a cluster file.",
)
PLACE_OPTIONS = (
    click.option("--work-dir", help="For temporary data; default: beside OUTPUT."),
    STORAGE_OPTION,
    MODULE_OPTION,
    click.option("--part-bytes", type=int, help="Bytes of input per part."),
)
JOB_OPTIONS: tuple[Decorator, ...] = (
    INPUT_OPTIONS[0],
    click.argument("sink", metavar="OUTPUT"),
    *INPUT_OPTIONS[1:],
    SETTINGS_OPTION,
    CLUSTER_OPTION,
    *POLICY_OPTIONS,
    *PLACE_OPTIONS,
)
TABLE_OPTIONS: tuple[Decorator, ...] = (
    click.argument("source", metavar="INPUT...", nargs=-1, required=True),
    click.argument("sink", metavar="OUTPUT"),
    INPUT_OPTIONS[1],
    click.option("--column-time", required=True, help="Column of timestamps."),
    *INPUT_OPTIONS[3:],
    SETTINGS_OPTION,
    click.option("--every", default="1d", show_default=True, help="Length of an interval."),
    click.option("--timezone", default="UTC", show_default=True, help="Whose days count."),
    click.option("--anchor", help="A time at which an interval starts; default: midnight."),
    click.option("--window", help="History that each row sees; default: the interval."),
    click.option("--lag", default="0s", show_default=True, help="Until an interval is closed."),
    click.option("--recalculate", is_flag=True, help="Even if nothing changed."),
    click.option("--checks", metavar="JSON", help='Limits, as {"rows_drop": {"fail": 0.3}}.'),
    click.option("--retries", type=click.IntRange(min=0), help="After errors that may pass."),
    click.option(
        "--retry-delay-seconds", type=click.FloatRange(min=0), help="Before each of them."
    ),
    click.option(
        "--wait-for-sink", type=click.FloatRange(min=0), help="Seconds to wait for another run."
    ),
    click.option(
        "--on-settings-change",
        type=click.Choice(["refuse", "append", "recalculate"]),
        default="refuse",
        show_default=True,
        help="If the table was made with other settings; append calculates new features only.",
    ),
    CLUSTER_OPTION,
    *_policy_options("quarantine", "nan"),
    *PLACE_OPTIONS,
)
INTERVAL_OPTIONS: tuple[Decorator, ...] = (
    *TABLE_OPTIONS,
    click.option("--lookback", type=int, help="Earlier intervals that are looked at again."),
    click.option("--interval-start", help="Default: the interval that closed last."),
    click.option(
        "--on-empty",
        type=click.Choice(["wait", "skip", "fail"]),
        default="fail",
        show_default=True,
        help="If the window has no row.",
    ),
)
BACKFILL_OPTIONS: tuple[Decorator, ...] = (
    *TABLE_OPTIONS,
    click.option("--start", required=True, help="Start of the first interval: 2026-11-01."),
    click.option("--end", required=True, help="End of the last interval."),
    click.option(
        "--order",
        type=click.Choice(["oldest first", "newest first"]),
        default="oldest first",
        show_default=True,
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(min=1),
        default=2,
        show_default=True,
        help="Intervals that are worked on at once. They are published in order.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
)
COSTS_OPTIONS: tuple[Decorator, ...] = (
    *INPUT_OPTIONS, SETTINGS_OPTION, *POLICY_OPTIONS, STORAGE_OPTION, MODULE_OPTION,
)  # fmt: skip


def with_options(options: Sequence[Decorator]) -> Decorator:
    """Add arguments and options to a command, in their order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(options):
            command = decorate(command)
        return command

    return add
