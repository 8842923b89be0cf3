"""What happens in a round of the soak, hour by hour: all of it follows from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

HOURS = 48
#: Kills in mid-run, of the hourly table. Those of the first two begin a new life of a process whose
#: memory is watched, so they come first.
LONG_LIVED = ("server", "prefect worker")
VICTIMS = ("flow", "flow", "local worker", "local worker")
LATE = 4
BAD = 2


@dataclass(frozen=True)
class Step:
    """One run of the hourly table, and what is done to it."""

    hours: tuple[int, ...]  # that have closed since the step before
    cluster: str
    victim: str = ""  # what is killed while it calculates
    second_half: str = ""  # of the rows: comes "late", one step later, or in a file cut "short"

    @property
    def now(self) -> int:
        """Hours since the beginning, by the compressed clock."""
        return self.hours[-1] + 1


def turn(steps: Sequence[Step]) -> int:
    """The step at which the settings change."""
    return len(steps) // 2


def plan_round(seed: int, *, with_long_lived: bool) -> list[Step]:
    """The steps of a round; some runs are missed, as by a schedule whose host was down."""
    chance = random.Random(seed)  # noqa: S311  not a secret
    steps = [Step(hours, chance.choice(["none", "none", "threads:1"])) for hours in _hours(chance)]
    # Nothing happens at first and at last, nor when the settings are about to change.
    free = [number for number in range(1, len(steps) - 1) if number != turn(steps) - 1]

    def draw(below: int) -> int:
        number = chance.choice([one for one in free if one < below])
        free.remove(number)
        return number

    for victim in LONG_LIVED if with_long_lived else ():
        number = draw(len(steps) // 3)
        steps[number] = replace(steps[number], victim=victim)
    for victim in VICTIMS:
        number = draw(len(steps))
        cluster = "processes:1" if victim == "local worker" else steps[number].cluster
        steps[number] = replace(steps[number], victim=victim, cluster=cluster)
    for half in ["late"] * LATE + ["short"] * BAD:
        number = draw(len(steps))
        steps[number] = replace(steps[number], second_half=half)
    return steps


def _hours(chance: random.Random) -> Iterator[tuple[int, ...]]:
    start = 0
    while start < HOURS:
        stop = min(HOURS, start + chance.choice([1, 2, 2, 3]))
        yield tuple(range(start, stop))
        start = stop
