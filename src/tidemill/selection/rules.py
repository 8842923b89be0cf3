"""How columns are tested, and which of them are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

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
    """Refuse a test that does not exist, and windows, shares and counts that cannot be meant.

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
    for name in ("min_share", "fdr_level"):
        share: Any = getattr(rules, name)
        if not (_is_number(share, Real) and 0 < share <= 1):
            raise ArgumentError(
                f"{name}={share!r} is not allowed; give a number above 0 and at most 1"
            )
    if not (_is_number(rules.n_significant, Integral) and rules.n_significant >= 1):
        raise ArgumentError(f"n_significant={rules.n_significant!r} is not allowed; give 1 or more")
    if not isinstance(rules.multiclass, bool | np.bool_):
        raise ArgumentError(f"multiclass={rules.multiclass!r} is not allowed; give True or False")


def _is_number(given: Any, kind: type) -> bool:
    return isinstance(given, kind) and not isinstance(given, bool)
