"""The verdict on a run: one line that tells a person on call what they must know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from tidemill.errors import printable
from tidemill.model.counts import counted

__all__ = ["Outcome", "Verdict"]

Outcome = Literal["Completed", "Skipped", "Failed", "Cancelled", "Running"]

#: Warnings said in the line; more are counted.
SAID = 3
#: Characters of a reason or a warning in the line.
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended.

    Examples
    --------
    >>> print(Verdict("Completed", "398 rows of 10 columns").text)
    Completed: 398 rows of 10 columns
    >>> warnings = "8 of 50 series quarantined", "the input rows fell by 16%"
    >>> print(Verdict("Completed", warnings=warnings).text)
    Completed, 2 warnings: 8 of 50 series quarantined; the input rows fell by 16%
    >>> print(Verdict("Skipped", "2026-11-20: its window has no row").text)
    Skipped: 2026-11-20: its window has no row
    """

    outcome: Outcome
    reason: str = ""  # what was done, or why it was not
    warnings: tuple[str, ...] = ()

    @classmethod
    def failed(cls, error: BaseException, warnings: Iterable[str] = ()) -> Self:
        """The verdict on a run that an error ended.

        Examples
        --------
        >>> Verdict.failed(ValueError("no file")).text
        'Failed: ValueError: no file'
        """
        return cls("Failed", f"{type(error).__name__}: {error}", tuple(warnings))

    @property
    def text(self) -> str:
        """The verdict in one line: warnings if there are any, else the reason."""
        if self.outcome in {"Completed", "Skipped"} and self.warnings:
            count = len(self.warnings)
            said = [printable(one, LONGEST) for one in self.warnings[:SAID]]
            said += [f"{count - SAID:,} more"] * (count > SAID)
            return f"{self.outcome}, {counted(count, 'warning')}: {'; '.join(said)}"
        return f"{self.outcome}: {printable(self.reason, LONGEST)}" if self.reason else self.outcome

    @property
    def state_name(self) -> str:
        """Name of the state in which the run ends in Prefect.

        Examples
        --------
        >>> Verdict("Skipped").state_name, Verdict("Completed", warnings=("x",)).state_name
        ('Skipped', 'Warned')
        """
        has_result = self.outcome in {"Completed", "Skipped"}
        return "Warned" if has_result and self.warnings else self.outcome
