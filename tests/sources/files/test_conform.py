"""Files whose columns and types differ give the rows of one table, each value as it is."""

import datetime as dt
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Field, write_deltalake

import tidemill
from tidemill.errors import DataError, SourceError
from tidemill.execution.in_process import extract_here
from tidemill.model.source import Reading
from tidemill.planning.request import make_request
from tidemill.sources.files.open import open_source

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 11, 27, 6)  # noqa: DTZ001 (naive)


def extracted(tmp_path, *, source=None, **given):
    """The matrix of the files below ``tmp_path / "in"``."""
    given = {"column_id": "id", "column_sort": "time", "settings": "minimal", **given}
    sink = tmp_path / "out.parquet"
    extract_here(make_request(str(source or tmp_path / "in"), str(sink), **given), threads=1)
    return tidemill.read_matrix(sink)


def answer(frame, **given):
    given = {"column_id": "id", "column_sort": "time", **given}
    return tidemill.extract_features(frame, "minimal", n_jobs=1, **given)


def write(tmp_path, *tables, names="abcdef"):
    (tmp_path / "in").mkdir(exist_ok=True)
    for name, table in zip(names, tables, strict=False):
        pq.write_table(table, tmp_path / "in" / f"{name}.parquet")


def agree(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_names=False, check_exact=True)


def table(first, **columns):
    """Four rows, an hour apart, of two ids."""
    times = [START + (first + place) * HOUR for place in range(4)]
    given = {"id": [1, 1, 2, 2], "time": pa.array(times, pa.timestamp("us")), "x": [1, 2, 3, 4]}
    return pa.table({**given, **columns})


def frame_of(*tables, **columns):
    """What the tables are, by pandas, with plain times and values."""
    frames = [one.to_pandas() for one in tables]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(x=frame["x"].astype(float), **columns)


VALUES = {
    "int8": pa.array([1, 2, 3, 4], pa.int8()),
    "bool": pa.array([True, False, True, True]),
    "float32": pa.array([0.1, 0.2, 0.3, 0.4], pa.float32()),
    "float64": pa.array([0.1, 0.2, 0.3, 0.4]),
    "decimal": pa.array([Decimal("0.1"), Decimal("1.25"), Decimal("3.3"), Decimal(4)]),
    "dictionary": pa.array([5, 6, 5, 7]).dictionary_encode(),
}


@pytest.mark.parametrize("type_", VALUES)
def test_values_of_another_type_on_the_next_day(tmp_path, type_):
    days = [table(0), table(24, x=VALUES[type_])]
    write(tmp_path, *days)
    agree(extracted(tmp_path), answer(frame_of(*days)))


TIMES = {
    "s": partial(pa.array, type=pa.timestamp("s")),
    "ms": partial(pa.array, type=pa.timestamp("ms")),
    "ns": partial(pa.array, type=pa.timestamp("ns")),
    "text": lambda times: pa.array([time.isoformat(" ") for time in times]),
    "fractions": lambda times: pa.array([f"{time.isoformat()}.000" for time in times]),
}


@pytest.mark.parametrize("how", TIMES)
def test_times_in_another_form_on_the_next_day(tmp_path, how):
    later = [START + (24 + place) * HOUR for place in range(4)]
    plain = [table(0), table(24)]
    write(tmp_path, plain[0], table(24, time=TIMES[how](later)))
    agree(extracted(tmp_path), answer(frame_of(*plain)))


def test_dates_beside_times(tmp_path):
    day = pa.array([dt.date(2026, 11, 28 + place) for place in range(2)] * 2)
    write(tmp_path, table(0), table(24, time=day))
    plain = frame_of(table(0), table(24, time=day.cast(pa.timestamp("us"))))
    agree(extracted(tmp_path), answer(plain))


def test_naive_times_beside_times_with_a_zone(tmp_path):
    aware = table(24).column("time").cast(pa.timestamp("us", "Asia/Tokyo"))
    write(tmp_path, table(0), table(24, time=aware))
    with pytest.raises(
        SourceError, match=r"type timestamp\[us\] in .*a\.parquet, but .*b\.parquet"
    ):
        extracted(tmp_path)
    naive = table(0).to_pandas()
    naive["time"] = naive["time"].dt.tz_localize("Europe/Berlin")
    frame = pd.concat([naive, table(24, time=aware).to_pandas()], ignore_index=True)
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    agree(extracted(tmp_path, input_timezone="Europe/Berlin"), answer(frame.astype({"x": float})))


def test_an_offset_far_behind_naive_text_is_refused(tmp_path):
    naive = [
        f"2026-11-27T00:00:{second:02}.{part:03}" for second in range(60) for part in range(50)
    ]
    texts = [*naive, "2026-11-27T01:00:00+01:00"]
    whole = pa.table({"id": [1] * len(texts), "time": texts, "x": [1.0] * len(texts)})
    write(tmp_path, whole)
    with pytest.raises(DataError, match="2026-11-27T01:00:00\\+01:00"):
        extracted(tmp_path)


def test_a_column_that_a_later_file_adds_is_calculated(tmp_path):
    days = [table(0), table(24, y=[0.5, 1.5, None, 2.5], id=[1, 1, 3, 3])]
    write(tmp_path, *days)
    found = extracted(tmp_path, on_nan="omit")
    both = frame_of(*days)
    assert list(found.index) == [1, 2, 3]
    agree(found.filter(like="x__"), answer(both[["id", "time", "x"]]))
    own = both.iloc[4:][["id", "time", "y"]].dropna()
    agree(found.filter(like="y__").loc[[1, 3]], answer(own))
    assert found.filter(like="y__").loc[2].isna().all()


def test_nulls_break_the_policy_but_columns_that_a_file_lacks_do_not(tmp_path):
    write(tmp_path, table(0), table(24, y=[0.5, 1.5, 2.0, 2.5]))
    assert extracted(tmp_path).loc[1, "y__mean"] == 1.0
    write(tmp_path, table(0), table(24, y=[0.5, 1.5, 2.0, None]))
    with pytest.raises(DataError, match="column 'y' holds 1 null"):
        extracted(tmp_path)
    found = extracted(tmp_path, on_nan="quarantine")
    assert list(found.index) == [1]


def test_two_sensors_in_two_files_of_the_same_times(tmp_path):
    one, other = table(0), table(0).rename_columns(["id", "time", "y"])
    write(tmp_path, one, other)
    found = extracted(tmp_path)
    agree(found.filter(like="x__"), answer(frame_of(one)))
    agree(found.filter(like="y__"), answer(other.to_pandas().astype({"y": float})))


def test_an_id_whose_files_lack_all_values_has_a_row_of_nan(tmp_path):
    write(tmp_path, table(0), table(24, id=[1, 1, 7, 7]).rename_columns(["id", "time", "note"]))
    for given in ({}, {"column_kind": "kind"}):
        if given:
            kinds = pa.array(["p"] * 4)
            days = [table(0, kind=kinds), table(24, id=[1, 1, 7, 7], kind=kinds)]
            write(tmp_path, days[0], days[1].drop_columns(["x"]))
        found = extracted(tmp_path, column_value="x", **given)
        assert list(found.index) == [1, 2, 7]
        assert found.loc[7].isna().all()
        assert found.loc[1].notna().all()


def test_files_without_rows_say_nothing(tmp_path):
    empty = pa.table({"id": pa.array([], pa.string()), "note": pa.array([], pa.null())})
    write(tmp_path, empty, table(0), pa.table({"z": pa.array([], pa.list_(pa.int8()))}))
    agree(extracted(tmp_path), answer(frame_of(table(0))))


def test_composite_ids_with_columns_that_files_lack(tmp_path):
    site = pa.array(["a", "a", "b", "b"])
    days = [table(0, site=site), table(24, site=site, y=[1.0, 2.0, 3.0, None], id=[1, 1, 9, 9])]
    write(tmp_path, *days)
    ids = ["site", "id"]
    found = extracted(tmp_path, column_id=ids, on_nan="quarantine", column_value=["x", "y"])
    assert list(found.index) == [("a", 1), ("b", 2)]
    assert found.loc[("a", 1), "y__mean"] == 1.5
    assert np.isnan(found.loc[("b", 2), "y__mean"])


IDS = {"int16": pa.int16(), "uint8": pa.uint8(), "int64": pa.int64()}


@pytest.mark.parametrize("type_", IDS)
def test_ids_of_several_widths_are_one(tmp_path, type_):
    ids = pa.array([1, 1, 2, 2])
    days = [table(0, id=ids.cast(pa.int32())), table(24, id=ids.cast(IDS[type_]))]
    write(tmp_path, *days)
    found = extracted(tmp_path)
    assert found.index.dtype == "int64"
    agree(found, answer(frame_of(*days).astype({"id": "int64"})))


def test_text_beside_numbers_in_ids_names_both_files(tmp_path):
    write(tmp_path, table(0), table(24, id=["a", "a", "b", "b"]))
    message = r"'id' has type int64 in .*a\.parquet, but string in .*b\.parquet"
    with pytest.raises(SourceError, match=message):
        extracted(tmp_path)


def test_integers_that_float64_cannot_hold_are_refused(tmp_path):
    write(tmp_path, table(0, x=[0.5] * 4), table(24, x=[1, 2, 3, 2**53 + 1]))
    with pytest.raises(DataError, match=r"b\.parquet.*9007199254740993"):
        extracted(tmp_path)


def test_folders_are_ids(tmp_path):
    for site, shift in (("a", 0), ("b", 10)):
        (tmp_path / "in" / f"site={site}").mkdir(parents=True)
        values = table(0, x=[1 + shift, 2 + shift, 3 + shift, 4 + shift])
        pq.write_table(values, tmp_path / "in" / f"site={site}" / "part.parquet")
    found = extracted(tmp_path, column_id=["site", "id"])
    assert list(found.index) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert found["x__mean"].tolist() == [1.5, 3.5, 11.5, 13.5]
    alone = extracted(tmp_path, column_id="site", on_duplicate="first")
    assert list(alone.index) == ["a", "b"]


@pytest.mark.parametrize(
    ("names", "ids"),
    [(("7", "12"), [7, 12]), (("07", "12"), ["07", "12"]), (("a%20b", "c"), ["a b", "c"])],
)
def test_numbers_in_folders_are_numbers_only_if_they_read_back(tmp_path, names, ids):
    for name in names:
        (tmp_path / "in" / f"unit={name}").mkdir(parents=True)
        pq.write_table(
            pa.table({"time": [1, 2], "x": [1.0, 2.0]}),
            tmp_path / "in" / f"unit={name}" / "part.parquet",
        )
    assert list(extracted(tmp_path, column_id="unit").index) == ids


def test_files_are_skipped_by_the_ids_in_their_folders(tmp_path):
    for site in ("a", "b"):
        (tmp_path / "in" / f"site={site}").mkdir(parents=True)
        pq.write_table(table(0), tmp_path / "in" / f"site={site}" / "part.parquet")
    from tidemill.sources.files.formats import FORMATS

    source = open_source(tmp_path / "in", column_id="site", column_sort="time")
    bounds = [next(iter(FORMATS["parquet"].group_bounds(source, i))).bounds for i in range(2)]
    assert bounds == [("a", "a"), ("b", "b")]
    source = open_source(tmp_path / "in", column_id=["site", "id"], column_sort="time")
    lower, upper, is_wide = next(iter(FORMATS["parquet"].group_bounds(source, 0))).bounds
    assert lower < upper
    assert not is_wide


def test_a_file_per_series_has_its_id_in_its_name(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("007", "8"):
        table(0).drop_columns(["id"]).to_pandas().to_csv(
            tmp_path / "in" / f"{name}.csv", index=False
        )
    found = extracted(tmp_path, id_from_path="{id}.csv")
    assert found["x__length"].to_dict() == {"007": 4.0, "8": 4.0}


def test_a_delta_table_after_a_merge_of_schemas(tmp_path):
    place = tmp_path / "table"
    days = [table(0, site=["a"] * 4), table(24, site=["b"] * 4, y=[1.0, 2.0, 3.0, 4.0])]
    for day in days:
        write_deltalake(place, day, mode="append", schema_mode="merge", partition_by=["site"])
    assert len(DeltaTable(place).file_uris()) == 2
    found = extracted(tmp_path, source=place, column_id=["site", "id"])
    assert list(found.index) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert found["y__mean"].fillna(-1).tolist() == [-1, -1, 1.5, 3.5]
    # A column that no file has yet can be named: the table's log knows it.
    other = tmp_path / "other"
    write_deltalake(other, table(0))
    DeltaTable(other).alter.add_columns([Field("y", "double")])
    named = extracted(tmp_path, source=other, column_value=["x", "y"])
    assert named["y__mean"].isna().all()
    assert named["x__mean"].tolist() == [1.5, 3.5]


def test_partition_columns_of_a_log_have_its_types(tmp_path):
    place = tmp_path / "table"
    day = pa.array([dt.date(2026, 11, 27), dt.date(2026, 11, 28)] * 2)
    write_deltalake(place, table(0, day=day), partition_by=["day"])
    found = extracted(tmp_path, source=place, column_id="day", column_value="x")
    assert found["x__mean"].tolist() == [2.0, 3.0]
    assert [str(one) for one in found.index] == ["2026-11-27", "2026-11-28"]


def test_bad_files_are_set_aside_and_named(tmp_path):
    write(tmp_path, table(0), table(24))
    cut = (tmp_path / "in" / "b.parquet").read_bytes()[:-20]
    (tmp_path / "in" / "b.parquet").write_bytes(cut)
    (tmp_path / "in" / "c.parquet").write_bytes(b"")
    write(tmp_path, table(48, id=pa.array([1, None, 2, 2])), names="d")
    with pytest.raises((SourceError, DataError)):
        extracted(tmp_path)
    agree(extracted(tmp_path, on_bad_file="quarantine"), answer(frame_of(table(0))))
    reading = Reading(on_bad_file="quarantine")
    source = open_source(tmp_path / "in", column_id="id", column_sort="time", reading=reading)
    bad = {one.path: one.reason for one in source.bad_files}
    assert list(bad) == ["b.parquet", "c.parquet", "d.parquet"]
    assert "damaged or incomplete" in bad["b.parquet"]
    assert "column 'id' is null in 1 of 4 rows (at rows 1)" in bad["d.parquet"]
    (tmp_path / "in" / "a.parquet").unlink()
    with pytest.raises(SourceError, match="none of 3 input files can be read"):
        open_source(tmp_path / "in", column_id="id", column_sort="time", reading=reading)
