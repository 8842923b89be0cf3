"""Parts ascend, cover every id once and have the spans they need; chunks hold all that miss."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.model.plan import Part
from tidemill.model.source import ColumnRoles, Source, SourceFile
from tidemill.planning.parts import make_parts, part_memory_bytes
from tidemill.sources.files.statistics import Group, Profile, Statistics

MILLION = 2**20


def free(lengths, counts):
    return 0.0


def per_value(seconds):
    return lambda lengths, counts: float((lengths * counts).sum() * seconds)


def make_source(groups, format_="parquet", id_type="int64"):
    """A source whose files hold the given numbers of row groups."""
    numbers = {}
    for group in groups:
        numbers.setdefault(group.file, []).append(group)
    files = tuple(
        SourceFile(f"{i}.parquet", 1, "", "", sum(g.rows for g in numbers[i]), len(numbers[i]))
        for i in sorted(numbers)
    )
    columns = ColumnRoles("id", None, None, ("x",))
    return Source("/in", format_, files, columns, id_type, ("x",), {}, "")


def make_statistics(groups, keys, rows):
    """Statistics as of an input that was read in full."""
    ordered = tuple(sorted(groups, key=lambda g: (g.lower, g.upper, g.file, g.group)))
    rows = np.asarray(rows, float)
    profile = Profile(rows, np.ones(len(rows)), int(rows.sum()), float(len(rows)))
    keys = np.array(keys, dtype=object if isinstance(keys[0], str) else None)
    return Statistics(ordered, keys, rows, rows, np.ones(len(rows)), profile, 16.0)


def of_rows(ids, group_rows, n_files=1):
    """Groups and statistics of rows with these ids, cut every ``group_rows``."""
    groups = []
    for number, start in enumerate(range(0, len(ids), group_rows)):
        piece = ids[start : start + group_rows]
        groups.append(
            Group(number % n_files, number // n_files, len(piece), min(piece), max(piece))
        )
    keys, rows = np.unique(np.array(ids), return_counts=True)
    return groups, make_statistics(groups, keys.tolist(), rows)


def holds(part, id_):
    above = part.lower is None or id_ >= part.lower
    return above and (part.upper is None or id_ < part.upper)


def check_parts(layout, parts, groups, ids):
    assert [part.index for part in parts] == list(range(len(parts)))
    assert parts[0].lower is None
    assert parts[-1].upper is None
    for one, other in itertools.pairwise(parts):
        assert one.upper == other.lower
    lowers = [part.lower for part in parts[1:]]
    assert all(a < b for a, b in itertools.pairwise(lowers))
    for id_ in set(ids):
        assert sum(holds(part, id_) for part in parts) == 1
    for part in parts:
        held = {(s.file, g) for s in part.spans for g in range(s.first, s.last)}
        if layout == "spilled":
            assert not held
            continue
        for group in groups:
            needed = any(holds(part, i) for i in ids if group.lower <= i <= group.upper)
            assert not needed or (group.file, group.group) in held


@given(
    ids=st.lists(st.integers(-50, 50), min_size=1, max_size=80),
    ascending=st.booleans(),
    as_text=st.booleans(),
    group_rows=st.integers(1, 30),
    n_files=st.integers(1, 3),
    part_bytes=st.integers(1, 2000),
    cost=st.sampled_from([0.0, 0.1, 10.0]),
)
def test_parts_of_any_input(ids, ascending, as_text, group_rows, n_files, part_bytes, cost):
    ids = sorted(ids) if ascending else ids
    ids = [f"{one + 50:03d}" for one in ids] if as_text else ids
    groups, statistics = of_rows(ids, group_rows, n_files)
    source = make_source(groups)
    layout, parts = make_parts(source, statistics, per_value(cost), part_bytes=part_bytes)
    check_parts(layout, parts, groups, ids)
    again = make_parts(source, statistics, per_value(cost), part_bytes=part_bytes)
    assert again == (layout, parts)
    if sorted(ids) != ids and n_files == 1 and layout == "clustered":
        edges = [(group.lower, group.upper) for group in statistics.groups]
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(edges))
    assert sum(part.rows for part in parts) == pytest.approx(len(ids), abs=len(parts))


def test_an_id_that_reappears_makes_the_layout_spilled():
    ids = [*range(100), 0]
    groups, statistics = of_rows(ids, 10)
    assert make_parts(make_source(groups), statistics, free)[0] == "spilled"
    groups, statistics = of_rows(ids[:-1], 10)
    assert make_parts(make_source(groups), statistics, free)[0] == "clustered"


def test_row_groups_that_touch_out_of_the_input_order_are_spilled():
    groups = [Group(0, 0, 10, 5, 9), Group(0, 1, 10, 1, 5)]
    statistics = make_statistics(groups, [1, 5, 9], [5, 10, 5])
    assert make_parts(make_source(groups), statistics, free)[0] == "spilled"


def test_csv_is_always_spilled():
    groups, statistics = of_rows(list(range(100)), 100)
    assert make_parts(make_source(groups, "csv"), statistics, free)[0] == "spilled"


@pytest.mark.parametrize(
    ("rows", "cost", "n_parts"),
    [
        (2 * MILLION, 0.0, 1),  # 32 MiB
        (20 * MILLION, 0.0, 10),
        (2000 * MILLION, 0.0, 1000),
        (160_000 * MILLION, 0.0, 10_000),  # 256 MiB each
        (2 * MILLION, 0.4e-6, 1),  # below a second
        (2 * MILLION, 50e-6, 105),  # a second each
        (2 * MILLION, 5000e-6, 250),
        (2000 * MILLION, 5000e-6, 174_763),  # 60 s each
    ],
)
def test_size_of_parts(rows, cost, n_parts):
    n_ids = 400_000
    keys = np.arange(n_ids).tolist()
    groups = [Group(0, 0, rows, 0, n_ids - 1)]
    statistics = make_statistics(groups, keys, np.full(n_ids, rows / n_ids))
    _, parts = make_parts(make_source(groups, "csv"), statistics, per_value(cost))
    assert len(parts) == pytest.approx(n_parts, rel=0.2)
    assert max(part.bytes for part in parts) <= 257 * MILLION
    assert max(part.seconds for part in parts) <= 61


def test_one_id_with_half_of_all_rows_has_a_part_of_about_its_own():
    keys = list(range(1001))
    rows = [1000] * 500 + [500_000] + [1000] * 500
    groups = [Group(0, 0, sum(rows), 0, 1000)]
    _, parts = make_parts(
        make_source(groups, "csv"), make_statistics(groups, keys, rows), free, part_bytes=160_000
    )
    heavy = next(part for part in parts if holds(part, 500))
    assert heavy.rows <= 510_000
    assert len(parts) > 90


def some_parts(seconds, ids=10):
    return [Part(i, i, i + 1, (), 1000, ids, 16_000, s) for i, s in enumerate(seconds)]


def test_memory_of_a_part():
    (part,) = some_parts([1.0])
    source = make_source([Group(0, 0, 500, 0, 9), Group(0, 1, 500, 10, 19)])
    stream = part_memory_bytes(source, "clustered", part)
    assert part_memory_bytes(source, "spilled", part) > stream
