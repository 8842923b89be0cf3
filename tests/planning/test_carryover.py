"""Published rows stay only if new features were all that changed."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tidemill.calculators.settings import Settings
from tidemill.execution.in_process import extract_here
from tidemill.model.policies import Policies
from tidemill.planning.carryover import find_kept
from tidemill.planning.prepare import open_input
from tidemill.storage.intervals import write_interval
from tidemill.storage.layout import SinkLayout

from ..support.daily import DAYS, FEWER, MORE, NAMES, known, request, rows, run


@pytest.fixture
def about(source, table):
    """What is asked of the second day, which is published with minimal settings."""
    frame = rows(DAYS[1]).sort_values(["id", "time"])
    frame.to_parquet(source / f"{DAYS[1]}.parquet", index=False, row_group_size=24)
    run(source, table, DAYS[1], part_bytes=400)
    return {
        "layout": SinkLayout.of(table),
        "interval": NAMES[1],
        "source": open_input(request(source, table, DAYS[1])),
        "settings": Settings.from_any(MORE).canonical(),
        "policies": Policies(),
        "key_of": lambda key: f"new of {key}",
    }


def test_all_files_are_kept_in_the_order_of_their_ids(about, table):
    kept, record = find_kept(**about), known(table)[NAMES[1]]
    assert (kept.run_id, kept.result_key) == (record.run_id, record.result_key)
    assert (kept.digest, kept.settings) == (record.digest, record.settings)
    bounds = [(file.lower, file.upper) for file in kept.files]
    assert bounds == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]
    assert "x__skewness" not in kept.columns
    assert "x__mean" in kept.columns


@pytest.mark.parametrize(
    "change",
    [
        {"settings": Settings.from_any("minimal").canonical()},  # nothing is gained
        {"settings": Settings.from_any(FEWER).canonical()},
        {"policies": Policies(on_nan="omit")},
        {"interval": NAMES[0]},  # is not published
    ],
)
def test_any_other_change_keeps_nothing(change, about):
    assert find_kept(**{**about, **change}) is None


def test_changed_rows_keep_nothing(about):
    source = replace(about["source"], fingerprint="another")
    assert find_kept(**{**about, "source": source}) is None


def test_rows_of_a_result_that_the_record_does_not_name_keep_nothing(about, table):
    record = known(table)[NAMES[1]]
    write_interval(about["layout"], replace(record, result_key="f" * 64))
    assert find_kept(**about) is None
    # A run that published the new result was ended before it wrote the record.
    assert find_kept(**{**about, "key_of": lambda _: record.result_key}) is not None


def test_bounds_of_several_columns_do_not_bound_tuples(source, table):
    frame = pd.read_parquet(source / f"{DAYS[1]}.parquet")
    frame.assign(plant="a").to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    for day in (DAYS[0], DAYS[2]):
        (source / f"{day}.parquet").unlink()
    asked = replace(request(source, table, DAYS[1]), column_id=("plant", "id"))
    extract_here(asked, threads=1)
    settings = Settings.from_any(MORE).canonical()
    found = find_kept(
        SinkLayout.of(table), NAMES[1], open_input(asked), settings, Policies(), lambda key: key
    )
    assert [(file.lower, file.upper) for file in found.files] == [(None, None)]
