"""CSV: types, errors that name the place, and the way through the partition step."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import DataError, SourceError
from tidemill.execution.spill import run_spill_task, spill_tasks
from tidemill.model.plan import Plan
from tidemill.model.policies import Policies
from tidemill.planning.parts import make_parts
from tidemill.sources.files import csv
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_part
from tidemill.sources.files.statistics import gather_statistics


def read_series(location, spill_dir, **roles):
    source = open_source(location, column_id="id", **roles)
    statistics = gather_statistics(source)
    layout, parts = make_parts(source, statistics, lambda *_: 0.0, part_bytes=3000)
    plan = Plan("key", source, {}, Policies(), layout, parts, (), {})
    for task in spill_tasks(plan):
        run_spill_task(plan, task, str(spill_dir))
    return {
        (id_, kind): block.values[block.starts[place] : block.stops[place]].tolist()  # noqa: PD011
        for part in parts
        for batch in read_part(plan, part, str(spill_dir), needs_times=False)
        for kind, block in batch.blocks.items()
        for place, id_ in enumerate(batch.ids.to_pylist())
    }


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": rng.integers(0, 20, 1000),
            "time": pd.date_range("2024-01-01", periods=1000, freq="min"),
            "x": rng.normal(size=1000).round(3),
        }
    )


def expected(frame):
    return {(id_, "x"): rows["x"].tolist() for id_, rows in frame.groupby("id")}


@pytest.mark.parametrize("as_text", [False, True])
def test_series_of_several_files(tmp_path, frame, as_text):
    if as_text:
        frame["id"] = frame["id"].map('id "{:02d}", \n'.format)  # quotes, commas, line ends
    (tmp_path / "in").mkdir()
    frame.iloc[:600].to_csv(tmp_path / "in/a.csv", index=False)
    with gzip.open(tmp_path / "in/b.csv.gz", "wt") as file:
        frame.iloc[600:].to_csv(file, index=False)
    series = read_series(tmp_path / "in", tmp_path / "spill", column_sort="time")
    assert series == expected(frame)


def test_long_format(tmp_path, frame):
    frame["kind"] = np.where(frame["x"] > 0, "up", "down")
    frame.to_csv(tmp_path / "a.csv", index=False)
    series = read_series(tmp_path, tmp_path / "spill", column_sort="time", column_kind="kind")
    groups = frame.groupby(["id", "kind"])["x"]
    assert series == {key: values.tolist() for key, values in groups}


def test_whole_numbers_may_go_on_with_fractions(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(csv, "BLOCK_BYTES", 1000)
    frame.loc[:800, "x"] = 7
    text = frame.to_csv(index=False).replace(",7.0", ",7")
    (tmp_path / "a.csv").write_text(text)
    assert read_series(tmp_path, tmp_path / "spill", column_sort="time") == expected(frame)


def test_a_value_that_does_not_parse_is_named(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(csv, "BLOCK_BYTES", 1000)
    lines = frame.to_csv(index=False).splitlines()
    lines[900] = lines[900].rpartition(",")[0] + ",oops"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(
        SourceError, match=r"a\.csv: .*column #2: Row #901: .*'oops'.*write Parquet"
    ):
        read_series(tmp_path, tmp_path / "spill", column_sort="time")


def test_files_of_different_columns_or_types(tmp_path, frame):
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.drop(columns="x").assign(y=1).to_csv(tmp_path / "b.csv", index=False)
    source = open_source(tmp_path, column_id="id", column_sort="time")
    assert (source.kinds, source.lacking) == (("x", "y"), ("x", "y"))
    frame.assign(id="one").to_csv(tmp_path / "b.csv", index=False)
    assert open_source(tmp_path, column_id="id", column_sort="time").id_type == "string"


def test_text_in_a_column_of_values(tmp_path, frame):
    frame.assign(x="n.a.").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SourceError, match="column 'x' has type string"):
        open_source(tmp_path, column_id="id", column_sort="time")


@pytest.mark.parametrize("id_", ["", "1"])
def test_missing_ids(tmp_path, id_):
    (tmp_path / "a.csv").write_text(f"id,x\n{id_ or 'a'},1\n,2\n")
    with pytest.raises(DataError, match=r"a\.csv: column 'id' is (empty|null) in 1"):
        gather_statistics(open_source(tmp_path, column_id="id"))


def test_an_empty_file(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(SourceError, match=r"a\.csv cannot be read as CSV"):
        open_source(tmp_path, column_id="id")
    (tmp_path / "a.csv").write_text("id,x\n")
    with pytest.raises(SourceError, match="has no rows"):
        open_source(tmp_path, column_id="id")
    (tmp_path / "b.csv").write_text("id,x\n1,0.5\n")
    assert open_source(tmp_path, column_id="id").id_type == "int64"
