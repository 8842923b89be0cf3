"""Ids of several columns: keys of the tuples' order, and the same matrix as for surrogate ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import ArgumentError, DataError, SettingsError, SourceError
from tidemill.execution.in_process import extract_here
from tidemill.execution.isolation import Selection
from tidemill.execution.job import Job
from tidemill.execution.plans import load_plan
from tidemill.frames.feature_costs import file_costs
from tidemill.model.digests import RowSum, table_sum
from tidemill.model.ids import decode, encode, id_text
from tidemill.planning.doors import EXTRACT_INTERVAL
from tidemill.planning.plan_json import plan_from_json, plan_to_json
from tidemill.planning.prepare import prepare
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import examine
from tidemill.recurring.intervals import find_interval
from tidemill.recurring.table_checks import check_table
from tidemill.sources.files.open import open_source
from tidemill.sources.files.statistics import gather_statistics
from tidemill.sources.rows.composite_ids import join_ids, split_ids
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import committed
from tidemill.storage.record import history

IDS = ["plant", "sensor"]
#: Joined naively some of these are one text: "a_b" + "c" and "a" + "b_c".
PLANTS = ["a", "a_b", "a\x01", "", "b", "é"]
SENSORS = ["b_c", "c", "7", "\x00", "1"]

TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x1F600, exclude_categories=["Cs"]))
VALUES = {
    pa.string(): st.one_of(TEXT, st.text("\x00\x01\x02ab", max_size=5)),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False).map(lambda one: one + 0.0),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(UTC)),
}


@st.composite
def tuples(draw):
    types = draw(st.lists(st.sampled_from(list(VALUES)), min_size=2, max_size=3))
    rows = draw(st.lists(st.tuples(*(VALUES[type_] for type_ in types)), min_size=1, max_size=12))
    return types, rows


@given(tuples())
def test_keys_sort_as_tuples_and_give_them_back(case):
    types, rows = case
    columns = [
        pa.array(one, type_) for one, type_ in zip(zip(*rows, strict=True), types, strict=True)
    ]
    keys = encode(columns)
    pairs = sorted(zip(keys.to_pylist(), rows, strict=True))
    assert [row for _, row in pairs] == sorted(rows)
    assert len(set(keys.to_pylist())) == len(set(rows))
    assert [one.to_pylist() for one in decode(keys, types)] == [one.to_pylist() for one in columns]
    joined = join_ids(columns, [str(place) for place in range(len(types))])
    assert joined.dictionary_decode().equals(keys)


def test_negative_zero_is_zero():
    zeros = [pa.array([0.0, -0.0]), pa.array([1, 1])]
    assert len(set(encode(zeros).to_pylist())) == 1


# Whole runs


def make_frame(n_rows=3_000, sensors=SENSORS):
    """Rows in time order; the ids' surrogate numbers them in the order of the tuples."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "plant": rng.choice(np.array(PLANTS, object), n_rows),
            "sensor": rng.choice(np.array(sensors, object), n_rows),
            "time": pd.date_range("2026-11-17", periods=n_rows, freq="30s"),
            "x": rng.normal(size=n_rows),
            "y": rng.normal(size=n_rows),
        }
    )
    if not isinstance(sensors[0], str):
        frame["sensor"] = frame["sensor"].astype("int32")
    found = sorted(set(zip(frame["plant"], frame["sensor"], strict=True)))
    places = {one: place for place, one in enumerate(found)}
    return frame.assign(one=[places[key] for key in frame[IDS].itertuples(index=False, name=None)])


def write(frame, path, row_group_size=250):
    path.parent.mkdir(exist_ok=True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def run(source, sink, column_id, **options):
    made = {"settings": "minimal", "column_sort": "time"} | options
    summary = extract_here(make_request(source, sink, column_id=column_id, **made), threads=2)
    return summary, tidemill.read_matrix(sink)


def expected(frame, tmp_path, **options):
    """The matrix of the surrogate ids, under the tuples."""
    source = write(frame.drop(columns=IDS), tmp_path / "surrogate" / "one.parquet")
    _, matrix = run(source, tmp_path / "expected", "one", **options)
    by_number = frame.drop_duplicates("one").set_index("one")[IDS].loc[matrix.index]
    return matrix.set_index(pd.MultiIndex.from_frame(by_number))


@pytest.mark.parametrize("part_bytes", [None, 30_000])
@pytest.mark.parametrize("sensors", [SENSORS, [-3, 0, 7, 12]])
@pytest.mark.parametrize("order", [["time"], [*IDS, "time"]])
def test_the_matrix_is_that_of_surrogate_ids(order, sensors, part_bytes, tmp_path):
    frame = make_frame(sensors=sensors)
    given = frame.sort_values(order, kind="stable").drop(columns="one")
    source = write(given, tmp_path / "in" / "rows.parquet")
    summary, matrix = run(source, tmp_path / "out", IDS, part_bytes=part_bytes)
    pd.testing.assert_frame_equal(matrix, expected(frame, tmp_path), check_exact=True)
    assert (summary.parts["total"] > 1) == (part_bytes is not None)
    assert matrix.index.names == IDS
    assert matrix.index.is_monotonic_increasing
    if sensors is not SENSORS:
        assert matrix.index.dtypes["sensor"] == "int32"


def test_the_long_format_with_kinds(tmp_path):
    frame = make_frame()
    long = frame.melt(["plant", "sensor", "one", "time"], ["x", "y"], "kind", "value")
    long = long[(long["plant"] != "b") | (long["kind"] == "x")]  # some ids lack a kind
    options = {"column_kind": "kind", "column_value": "value", "part_bytes": 30_000}
    source = write(long.drop(columns="one"), tmp_path / "in" / "rows.parquet")
    _, matrix = run(source, tmp_path / "out", IDS, **options)
    pd.testing.assert_frame_equal(matrix, expected(long, tmp_path, **options), check_exact=True)
    assert matrix.loc[("b", "7"), "y__mean"] != matrix.loc[("b", "7"), "y__mean"]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out"])
def test_every_sink_gives_tuples_and_types_back(name, tmp_path):
    frame = make_frame(sensors=[-3, 0, 7, 12])
    frame = frame[~frame["plant"].isin(["", "a\x01"])]  # CSV has no empty text
    source = write(frame.drop(columns="one"), tmp_path / "in" / "rows.parquet")
    _, matrix = run(source, tmp_path / name, IDS)
    pd.testing.assert_frame_equal(matrix, expected(frame, tmp_path), check_exact=True)


def test_csv_and_csv_with_types_of_its_own(tmp_path):
    frame = make_frame(sensors=[-3, 0, 7, 12])
    frame = frame[~frame["plant"].isin(["", "a\x01"])]
    (tmp_path / "in").mkdir()
    frame.drop(columns="one").to_csv(tmp_path / "in" / "rows.csv", index=False)
    _, matrix = run(tmp_path / "in", tmp_path / "out", IDS, part_bytes=30_000)
    assert matrix.index.dtypes["sensor"] == "int64"
    wanted = expected(frame, tmp_path)
    assert matrix.to_numpy().tobytes() == wanted.to_numpy().tobytes()
    assert [tuple(one) for one in matrix.index] == [tuple(one) for one in wanted.index]


def test_delta_readers_see_columns_with_ranges_of_the_first(tmp_path):
    from deltalake import DeltaTable

    frame = make_frame(sensors=[-3, 0, 7, 12])
    source = write(frame.drop(columns="one"), tmp_path / "in" / "rows.parquet")
    summary, matrix = run(source, tmp_path / "out", IDS, part_bytes=30_000)
    table = DeltaTable(tmp_path / "out")
    assert table.to_pandas().set_index(IDS).sort_index().equals(matrix)
    actions = pa.table(table.get_add_actions(flatten=True)).sort_by("min.plant").to_pydict()
    assert actions["min.plant"][0] == ""
    assert actions["max.plant"][-1] == "é"
    arrow = pa.Table.from_pandas(matrix.reset_index(), preserve_index=False)
    assert table_sum(arrow) == digest_of_parts(tmp_path / "out", source)
    assert summary.rows == len(matrix)


def digest_of_parts(sink: Path, source: Path) -> RowSum:
    request = make_request(
        source, sink, settings="minimal", column_id=IDS, column_sort="time", part_bytes=30_000
    )
    with Job.open(request) as job:
        markers = committed(job.run.key).values()
        assert plan_from_json(plan_to_json(load_plan(job.run))) == load_plan(job.run)
        return sum((RowSum.from_text(one.digest) for one in markers), RowSum())


# Layouts


def layout_of(frame, tmp_path, row_group_size):
    source = write(frame, tmp_path / "in" / "rows.parquet", row_group_size)
    options = {"settings": "efficient", "column_sort": "time"}
    return prepare(make_request(source, tmp_path / "out", column_id=IDS, **options))[0].layout


def test_ascending_row_groups_are_read_as_they_lie(tmp_path):
    frame = make_frame().drop(columns="one").sort_values([*IDS, "time"])
    assert layout_of(frame, tmp_path, 250) == "clustered"


@pytest.mark.parametrize("columns", [["time"], ["plant", "time"], ["sensor", "plant", "time"]])
def test_an_id_that_comes_again_is_brought_together(columns, tmp_path):
    frame = make_frame().drop(columns="one").sort_values(columns)
    assert layout_of(frame, tmp_path, 250) == "spilled"


@pytest.mark.parametrize(("columns", "is_read"), [([*IDS, "time"], True), (["time"], False)])
def test_ids_are_read_only_where_they_can_show_that_row_groups_ascend(columns, is_read, tmp_path):
    frame = make_frame().drop(columns="one").sort_values(columns)
    path = write(frame, tmp_path / "in" / "rows.parquet")
    groups = gather_statistics(open_source(path, column_id=IDS, column_sort="time")).groups
    assert len(groups) == 12
    assert any(group.is_wide for group in groups) != is_read


def test_halves_of_an_id_in_two_places_are_one_series(tmp_path):
    """Each column alone ascends over the row groups, the tuples do not."""
    frame = pd.DataFrame({"plant": "a", "sensor": [1, 2] * 4, "time": range(8), "x": range(8)})
    source = write(frame, tmp_path / "in" / "rows.parquet", 2)
    _, matrix = run(source, tmp_path / "out", IDS)
    assert matrix["x__length"].tolist() == [4.0, 4.0]


# People


def test_errors_and_quarantine_name_the_tuple(tmp_path):
    frame = make_frame(sensors=[-3, 0, 7, 12]).drop(columns="one")
    frame.loc[(frame["plant"] == "a") & (frame["sensor"] == 7), "x"] = np.nan
    source = write(frame, tmp_path / "in" / "rows.parquet")
    summary, matrix = run(source, tmp_path / "out", IDS, on_nan="quarantine")
    assert [one["id"] for one in summary.quarantined] == ["(a, 7)"]
    assert ("a", 7) not in matrix.index
    with pytest.raises(DataError, match=r"\(id=\(a, 7\)\)"):
        run(source, tmp_path / "out", IDS)


def test_failed_cells_name_the_tuple(tmp_path, own_calculators):
    @calculator(version="1")
    def fails_on_a(values):
        if values.max() > 99.0:
            raise ValueError("too high")
        return 0.0

    frame = make_frame(sensors=[-3, 0, 7, 12]).drop(columns=["one", "y"])
    frame.loc[(frame["plant"] == "a") & (frame["sensor"] == 7), "x"] = 100.0
    source = write(frame, tmp_path / "in" / "rows.parquet")
    settings = {"fails_on_a": None}
    run(source, tmp_path / "out", IDS, on_error="nan", settings=settings)
    (record,) = history(SinkLayout.of(tmp_path / "out"))
    assert [case.id for case in record.error_cases] == ["(a, 7)"]


def test_a_poison_is_named_by_its_tuple():
    ids = split_ids(
        encode([pa.array(["a", "b"]), pa.array([7, 8])]), IDS, [pa.string(), pa.int64()]
    )
    (left_out,) = Selection(skip={11: "its process died"}).skipped(ids, 10)
    assert left_out.id == "(b, 8)"


def test_costs_are_measured_on_tuples(tmp_path):
    frame = make_frame(300).drop(columns="one")
    source = write(frame, tmp_path / "in" / "rows.parquet")
    request = make_request(
        source, tmp_path / "out", column_id=IDS, column_sort="time", settings="minimal"
    )
    rows, _ = file_costs(request)
    assert {row.calculator for row in rows} > {"mean", "variance"}
    of_frame = tidemill.feature_costs(frame, "minimal", column_id=IDS, column_sort="time")
    assert set(of_frame["calculator"]) == {row.calculator for row in rows}


def test_null_ids_are_refused(tmp_path):
    frame = make_frame().drop(columns="one")
    frame.loc[3, "sensor"] = None
    source = write(frame, tmp_path / "in" / "rows.parquet")
    with pytest.raises(DataError, match="column 'sensor' is null in 1"):
        run(source, tmp_path / "out", IDS)


@pytest.mark.parametrize(
    ("column_id", "error", "message"),
    [
        ([], ArgumentError, r"column_id=\[\] is not allowed"),
        (["plant", "plant"], ArgumentError, "is empty or names a column twice"),
        (["plant", 3], ArgumentError, "column_id=3 is a int"),
        (["plant", "sensors"], SourceError, "column_id='sensors' is not a column"),
        (["plant", "time"], SourceError, "column_id and column_sort are both 'time'"),
    ],
)
def test_what_cannot_be_an_id_is_refused(column_id, error, message, tmp_path):
    source = write(make_frame(60), tmp_path / "in" / "rows.parquet")
    with pytest.raises(error, match=message):
        run(source, tmp_path / "out", column_id)


def test_a_list_of_one_is_the_column(tmp_path):
    source = write(make_frame(60), tmp_path / "in" / "rows.parquet")
    both = [
        prepare(make_request(source, tmp_path / "out", column_id=one, column_value="x"))[0]
        for one in ("one", ["one"])
    ]
    assert both[0].result_key == both[1].result_key


def test_ids_come_apart_as_they_were():
    columns = [pa.array([date(2026, 1, 1)]), pa.array([datetime(2026, 1, 1, tzinfo=UTC)])]
    keys = join_ids([columns[0], columns[1].cast(pa.timestamp("us", "UTC"))], ["day", "at"])
    found = split_ids(keys.dictionary, ["day", "at"], [pa.date32(), pa.timestamp("us", "UTC")])
    assert found.to_pylist() == [{"day": date(2026, 1, 1), "at": datetime(2026, 1, 1, tzinfo=UTC)}]


# Intervals


def interval_request(source, table, day, column_id=IDS):
    made = make_request(
        source, table, column_id=column_id, column_sort="time", settings="minimal", column_value="x"
    )
    return replace(made, interval=find_interval(Calendar("1d"), day))


def test_late_rows_of_one_tuple_alter_its_row(tmp_path):
    source, table = tmp_path / "in", tmp_path / "table"
    frame = make_frame(5_000, [-3, 0, 7, 12]).drop(columns=["one", "y"])
    write(frame, source / "rows.parquet")
    days = ["2026-11-17", "2026-11-18"]
    for day in days:
        extract_here(interval_request(source, table, day), threads=1)
    late = {"plant": ["a"], "sensor": np.array([7], "int32"), "x": [50.0]}
    late = pd.DataFrame({**late, "time": [pd.Timestamp("2026-11-18 05:00:01")]})
    write(late[frame.columns], source / "late.parquet")
    layout = SinkLayout.of(table)
    known = read_intervals(layout, interval_names(layout))
    requests = [interval_request(source, table, day) for day in days]
    findings = [examine(one, known[one.interval.name], recalculate=False) for one in requests]
    assert [one.state for one in findings] == ["unchanged", "changed"]
    changes = extract_here(requests[1], threads=1).acceptance["changes"]
    assert {name: one["ids"] for name, one in changes.items()} == {
        "added": [], "removed": [], "altered": ["(a, 7)"],
    }  # fmt: skip
    assert tidemill.read_matrix(table, "20261118T000000Z").loc[("a", 7), "x__maximum"] == 50.0
    whole = tidemill.read_matrix(table)
    assert whole.index.names == ["interval", *IDS]
    with pytest.raises(SettingsError, match=r"built with column_id=\('plant', 'sensor'\), not"):
        check_table(interval_request(source, table, days[0], "sensor"), Calendar("1d"))


# Frames


def test_frames_give_the_matrix_of_files(tmp_path):
    frame = make_frame(sensors=[-3, 0, 7, 12])
    given = frame.drop(columns="one")
    matrix = tidemill.extract_features(given, "minimal", column_id=IDS, column_sort="time")
    pd.testing.assert_frame_equal(matrix, expected(frame, tmp_path), check_exact=True)
    long = given.melt([*IDS, "time"], ["x", "y"], "kind", "value")
    roles = {"column_sort": "time", "column_kind": "kind", "column_value": "value"}
    again = tidemill.extract_features(long, "minimal", column_id=IDS, **roles)
    pd.testing.assert_frame_equal(again, matrix, check_exact=True)


def test_categories_of_a_frame_sort_in_their_own_order():
    frame = pd.DataFrame(
        {"plant": pd.Categorical(["n", "s"] * 2, ["s", "n"]), "sensor": [2, 2, 1, 1]}
    )
    matrix = tidemill.extract_features(frame.assign(x=1.0), "minimal", column_id=IDS)
    assert matrix.index.tolist() == [("s", 1), ("s", 2), ("n", 1), ("n", 2)]


def roll(frame, column_id, **more):
    options = {"window": 10, "step": 5, "column_sort": "time", "column_value": "x"}
    return tidemill.extract_rolling(frame, "minimal", column_id=column_id, **options, **more)


def test_windows_of_tuples_are_those_of_surrogate_ids(tmp_path):
    frame = make_frame(900)
    rolled, wanted = roll(frame, IDS), roll(frame, "one")
    assert rolled.index.names == [*IDS, "cutoff"]
    assert rolled.to_numpy().tobytes() == wanted.to_numpy().tobytes()
    numbers = frame.drop_duplicates("one").set_index(IDS)["one"]
    assert numbers.loc[rolled.index.droplevel("cutoff")].tolist() == (
        wanted.index.get_level_values("one").tolist()
    )
    assert roll(frame, IDS, sink=tmp_path / "rolled.parquet") is None
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "rolled.parquet"), rolled)


def test_cutoffs_name_their_tuples(caplog):
    frame = make_frame(900)
    cutoffs = frame[[*IDS, "one"]].iloc[::40].assign(cutoff=frame["time"].max())
    unknown = cutoffs.iloc[:1].assign(plant="nowhere", one=-1)
    cutoffs = pd.concat([unknown, cutoffs])
    options = {"column_sort": "time", "column_value": "x"}
    found = tidemill.extract_at(frame, cutoffs, "minimal", column_id=IDS, **options)
    assert f"(nowhere, {unknown['sensor'].iloc[0]})" in caplog.text
    wanted = tidemill.extract_at(frame, cutoffs, "minimal", column_id="one", **options)
    assert found.to_numpy().tobytes() == wanted.to_numpy().tobytes()
    assert found.index.droplevel("cutoff").tolist() == list(cutoffs[IDS].itertuples(index=False))


def test_a_dict_of_frames_has_one_id_column():
    frame = make_frame(60)
    with pytest.raises(ArgumentError, match="give one frame in the long format"):
        tidemill.extract_features({"x": frame}, "minimal", column_id=IDS, column_value="x")


@pytest.mark.parametrize("column_id", ["interval", ["plant", "interval"]])
def test_the_column_of_the_intervals_is_taken(column_id, tmp_path):
    with pytest.raises(ArgumentError, match="rename the column"):
        make_request(
            tmp_path / "in",
            tmp_path / "out",
            door=EXTRACT_INTERVAL,
            column_time="time",
            column_id=column_id,
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"), (np.str_("a'b"), '"a\'b"'), (np.int64(7), "7"), (1.5, "1.5"), (True, "True"),
        (date(2026, 11, 27), "2026-11-27"), (("a", np.int64(7)), "(a, 7)"),
        (pd.Timestamp("2026-11-27 06:00"), "2026-11-27 06:00:00"),
        (datetime(2026, 11, 27, tzinfo=UTC), "2026-11-27 00:00:00+00:00"),
    ],
)  # fmt: skip
def test_messages_show_ids_as_people_write_them(value, text):
    assert id_text(value) == text
