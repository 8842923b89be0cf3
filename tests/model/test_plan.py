"""What follows from a plan's fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.model.plan import GroupSpan, Kept, KeptFile, Part, Plan
from tidemill.model.policies import Policies
from tidemill.model.source import ColumnRoles, Source

SOURCE = Source("/d", "parquet", (), ColumnRoles("id", None, None, ("x",)), "int64", ("x",), {}, "")


def part(*spans, seconds=1.0):
    return Part(0, None, None, tuple(spans), 10, 1, 240, seconds)


@pytest.mark.parametrize(
    ("spans", "files"),
    [
        ((), ()),
        ((GroupSpan(3, 0, 1),), (3,)),
        ((GroupSpan(3, 0, 1), GroupSpan(3, 5, 9), GroupSpan(0, 1, 2)), (0, 3)),
    ],
)
def test_files_of_a_part_are_named_once_and_ascend(spans, files):
    assert part(*spans).files == files


def test_seconds_are_those_of_all_parts_and_kept_columns_those_of_the_published_rows():
    parts = (part(seconds=1.5), part(seconds=0.25))
    plan = Plan("key", SOURCE, {}, Policies(), "clustered", parts, ("x__mean",), {"x": ()})
    assert (plan.seconds, plan.kept_columns) == (1.75, ())
    assert replace(plan, parts=()).seconds == 0
    kept = Kept("run", "old", "digest", {}, (KeptFile("a.parquet"),), ("x__mean", "x__minimum"))
    assert replace(plan, kept=kept).kept_columns == ("x__mean", "x__minimum")
