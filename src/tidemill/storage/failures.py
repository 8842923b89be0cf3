"""Failures of calculators, as markers and run records hold them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FailedSeries", "FailureCount", "Failures"]


@dataclass(frozen=True, slots=True)
class Failures:
    """The series of one part on which a calculator failed in the same way."""

    kind: str
    calculator: str
    message: str
    count: int  # series
    ids: tuple[str, ...] = ()  # of the first of them


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How often a calculator failed in the same way during a run."""

    kind: str
    calculator: str
    message: str
    count: int  # series


@dataclass(frozen=True, slots=True)
class FailedSeries:
    """One series on which a calculator failed."""

    id: str
    kind: str
    calculator: str
    message: str
