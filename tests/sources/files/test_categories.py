"""Sort columns of categories in files have the order that pandas gives them."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.errors import DataError, SourceError
from tidemill.sources.files.cautions import caution_of
from tidemill.sources.files.open import open_source
from tidemill.sources.files.schema import read_schema
from tidemill.sources.rows.categories import categories_of

from ...support.series import extract

LEVELS = ["low", "mid", "high"]


def write(path, values, categories=None, *, ordered=True):
    frame = pd.DataFrame({"id": 1, "time": values, "x": range(len(values))})
    if categories is not None:
        frame["time"] = pd.Categorical(values, categories, ordered=ordered)
    path.parent.mkdir(exist_ok=True)
    frame.to_parquet(path, index=False)
    return frame


def kept(folder):
    source = open_source(folder, column_id="id", column_sort="time")
    found = categories_of(read_schema(source).field("time"))
    return None if found is None else found.to_pylist()


@pytest.mark.parametrize("ordered", [True, False])
def test_a_file_keeps_the_order_of_pandas(tmp_path, ordered):
    write(tmp_path / "in" / "a.parquet", ["high", "low"], LEVELS, ordered=ordered)
    assert kept(tmp_path / "in") == LEVELS


def test_unordered_categories_in_the_order_of_their_text_are_text(tmp_path):
    write(tmp_path / "in" / "a.parquet", ["b", "a"], ["a", "b"], ordered=False)
    assert kept(tmp_path / "in") is None
    write(tmp_path / "in" / "a.parquet", ["10", "9"], ["10", "9"], ordered=False)
    with pytest.raises(SourceError, match="holds the number '10' as text"):
        kept(tmp_path / "in")


def test_a_dictionary_that_saves_space_has_no_order(tmp_path):
    coded = pa.array(["b", "a"]).dictionary_encode()
    pq.write_table(pa.table({"id": [1, 1], "time": coded, "x": [1, 2]}), tmp_path / "a.parquet")
    assert kept(tmp_path / "a.parquet") is None


def test_text_is_sorted_with_a_warning_and_categories_without(tmp_path):
    write(tmp_path / "text.parquet", ["b", "a"])
    write(tmp_path / "own.parquet", ["high", "low"], LEVELS)
    text, own = (
        open_source(tmp_path / name, column_id="id", column_sort="time")
        for name in ("text.parquet", "own.parquet")
    )
    assert "rows are sorted as text" in caution_of(text)
    assert caution_of(own) == ""


def test_files_may_lack_categories_of_others(tmp_path):
    folder = tmp_path / "in"
    first = write(folder / "a.parquet", ["high", "low"], ["low", "high"])
    second = write(folder / "b.parquet", ["mid", "low", "high"], LEVELS).assign(id=2)
    second.to_parquet(folder / "b.parquet", index=False)
    assert kept(folder) == LEVELS
    settings = {"first_location_of_maximum": None}
    extract(folder, tmp_path / "out", settings)
    rows = pd.concat([first.astype({"time": second["time"].dtype}), second])
    wanted = tidemill.extract_features(rows, settings, column_id="id", column_sort="time")
    found = tidemill.read_matrix(tmp_path / "out")
    pd.testing.assert_frame_equal(found, wanted, check_names=False)


def test_files_that_contradict_each_other_are_refused(tmp_path):
    folder = tmp_path / "in"
    write(folder / "a.parquet", ["high", "low"], LEVELS)
    write(folder / "b.parquet", ["high", "low"], LEVELS[::-1])
    with pytest.raises(DataError, match=r"b\.parquet: column 'time' has the categories 'high'"):
        kept(folder)
    write(folder / "b.parquet", ["high", "low"])
    with pytest.raises(SourceError, match=r"in some files, but not in .*b\.parquet"):
        kept(folder)


def test_row_groups_that_contradict_each_other_are_refused(tmp_path):
    type_ = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    schema = pa.schema({"id": pa.int64(), "time": type_, "x": pa.int64()})
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for levels in (LEVELS, LEVELS[::-1]):
            times = pa.DictionaryArray.from_arrays(
                pa.array([0, 1], pa.int8()), levels, ordered=True
            )
            columns = [pa.array([1, 1]), times, pa.array([1, 2])]
            writer.write_table(pa.table(columns, schema=schema))
    with pytest.raises(DataError, match=r"a\.parquet: column 'time' has the categories 'high'"):
        extract(tmp_path / "a.parquet", tmp_path / "out")
