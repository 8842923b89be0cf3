"""How columns are tested, and which of them are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemill.errors import ArgumentError
from tidemill.selection.evidence import check_test

__all__ = ["SelectionRules", "check_rules"]

#: What a table of its own can be made for.
WINDOWS = (None, "interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRules:
    """How columns are tested against a target, and when they are relevant."""

    ml_task: str = "auto"
    multiclass: bool = False
    n_significant: int = 1
    test: str = "mann"  # of real features and classes
    fdr_level: float = 0.05
    independent: bool = False
    per_window: str | None = None  # "interval": each interval is tested by itself
    min_share: float = 0.5  # of the intervals, in which a feature has to be relevant
    n_jobs: int | None = None  # threads; None: all cores


def check_rules(rules: SelectionRules) -> None:
    """Refuse a test that does not exist, and windows and shares that cannot be meant.

    Raises
    ------
    ArgumentError
        If a value is not allowed.

    Examples
    --------
    >>> check_rules(SelectionRules(per_window="day"))
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: per_window='day' is not allowed; give 'interval' or None
    """
    check_test(rules.test)
    if rules.per_window not in WINDOWS:
        raise ArgumentError(
            f"per_window={rules.per_window!r} is not allowed; give 'interval' or None"
        )
    share: Any = rules.min_share
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not (is_number and 0 < share <= 1):
        raise ArgumentError(
            f"min_share={share!r} is not allowed; give a number above 0 and at most 1"
        )
