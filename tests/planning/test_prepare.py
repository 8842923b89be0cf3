"""What decides whether a run may use the results of another."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import (
    ArgumentError,
    SettingsError,
)
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.plans import missing_parts
from tidemill.planning import prepare as preparation
from tidemill.planning.prepare import prepare, validate_request
from tidemill.planning.request import make_request
from tidemill.recurring import examine as recurring
from tidemill.recurring.examine import examine

from ..support.daily import (
    DAYS,
    request,
    rows,
)
from ..support.inputs import make_input
from ..support.jobs import opened

pytestmark = pytest.mark.usefixtures("own_calculators")

OWN = {"mine": None, "mean": None}


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=3)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def request_of(series, sink, settings=OWN):
    arguments = {"settings": settings, **series.arguments}
    return make_request(arguments.pop("source"), sink, **arguments)


def declare_one():
    @calculator
    def mine(values):
        return 1.0


def declare_two():
    @calculator
    def mine(values):
        return 2.0


def key(series, sink, settings=OWN):
    return prepare(request_of(series, sink, settings))[0].result_key


def test_changed_code_of_a_calculator_makes_another_result(series, sink):
    declare_one()
    first = key(series, sink)
    declare_one()
    assert key(series, sink) == first
    declare_two()
    assert key(series, sink) != first


def test_calculators_that_the_settings_do_not_name_do_not_count(series, sink):
    declare_one()
    first = key(series, sink, "minimal")
    declare_two()
    assert key(series, sink, "minimal") == first


def test_a_calculator_of_one_kind_counts(series, sink):
    settings = {"*": [["mean", {}]], "value": [["mine", {}]]}
    declare_one()
    first = key(series, sink, settings)
    declare_two()
    assert key(series, sink, settings) != first


def test_the_next_run_shows_the_values_of_changed_code(series, sink):
    declare_one()
    extract_here(request_of(series, sink), threads=1)
    declare_two()
    extract_here(request_of(series, sink), threads=1)
    assert set(tidemill.read_matrix(str(sink))["value__mine"]) == {2.0}


def test_parts_of_older_code_are_not_gone_on_with(series, sink):
    declare_one()
    with opened(series, sink, settings=OWN) as job:
        run_chunk(job.run, [0])
    declare_two()
    with opened(series, sink, settings=OWN) as job:
        assert missing_parts(job.run) == [0, 1, 2]


@pytest.mark.parametrize("look", [validate_request, prepare])
def test_code_that_cannot_be_read_is_found_at_the_door(look, series, sink):
    calculator(name="mine")(math.fsum)
    with pytest.raises(SettingsError, match=r"calculator 'mine' .*give it a version"):
        look(request_of(series, sink))
    assert not sink.exists()
    calculator(name="mine", version="1")(math.fsum)
    look(request_of(series, sink))


def test_files_outside_of_the_window_are_not_read(source, table):
    (source / "2026-11-17.parquet").write_bytes((source / "2026-11-17.parquet").read_bytes())
    found = recurring.find_interval_files(request(source, table, DAYS[2]))
    assert [file.path for file in found.files] == ["2026-11-19.parquet"]


def test_rows_that_were_looked_at_are_not_read_again(source, table, monkeypatch):
    about = request(source, table, DAYS[1])
    seen = replace(about, examined=examine(about, None, recalculate=False).source)
    reads, read = [], preparation.read_window
    monkeypatch.setattr(preparation, "read_window", lambda found: reads.append(1) or read(found))
    extract_here(seen)
    assert not reads
    rows(DAYS[1]).assign(x=0.0).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    extract_here(seen)
    assert reads
    assert (tidemill.read_matrix(table)["x__sum_values"] == 0).all()


@pytest.mark.parametrize(
    ("renamed", "roles", "said"),
    [
        ({"x": "P", "y": "p"}, {}, "differ only in upper and lower case"),
        ({"id": "x__mean"}, {"column_id": "x__mean"}, "is also the name of a column of features"),
        ({"id": "X__mean"}, {"column_id": "X__mean"}, "'X__mean' and 'x__mean' differ only"),
    ],
)
def test_names_that_the_table_cannot_hold_are_refused_before_any_work(
    tmp_path, renamed, roles, said
):
    frame = pd.DataFrame({"id": [1, 1], "time": [0, 1], "x": [0.5, 1.5], "y": [0.0, 1.0]})
    frame.rename(columns=renamed).to_parquet(tmp_path / "in.parquet")
    given = {"column_id": "id", "column_sort": "time", "settings": {"mean": None}, **roles}
    request = make_request(tmp_path / "in.parquet", tmp_path / "out", **given)
    with pytest.raises(ArgumentError, match=said):
        validate_request(request)
    assert not (tmp_path / "out").exists()
