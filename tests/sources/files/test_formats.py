"""Every format of the table reads the same rows; another one needs no more than a line there."""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, orc

from tidemill.model.plan import GroupSpan
from tidemill.sources.files import discovery, formats, read, statistics, text_times
from tidemill.sources.files import open as opening
from tidemill.sources.files.formats import FORMATS, SUFFIXES, format_of
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_span
from tidemill.sources.files.statistics import gather_statistics

FRAME = pd.DataFrame({"id": np.repeat([1, 2, 3], 4), "time": range(12), "x": np.arange(12) / 4})
WRITE = {
    "parquet": lambda path: FRAME.to_parquet(path, row_group_size=6),
    "csv": lambda path: FRAME.to_csv(path, index=False),
    "json_lines": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "arrow_ipc": lambda path: feather.write_feather(FRAME, path, chunksize=6),
    "orc": lambda path: orc.write_table(pa.Table.from_pandas(FRAME), path),
}


def test_the_suffixes_of_formats_do_not_overlap():
    suffixes = [suffix for one in FORMATS.values() for suffix in one.suffixes]
    assert sorted(SUFFIXES) == sorted(suffixes)
    for name, one in FORMATS.items():
        assert {format_of(f"A{suffix.upper()}") for suffix in one.suffixes} == {name}
        packed = {None} if one.is_self_describing else {name}
        assert {format_of(f"a{suffix}.zst") for suffix in one.suffixes} == packed


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_schema_rows_and_bounds(name, tmp_path):
    WRITE[name](tmp_path / f"a{FORMATS[name].suffixes[0]}")
    source = open_source(tmp_path, column_id="id", column_sort="time")
    assert (source.format, source.rows, source.kinds) == (name, 12, ("x",))
    groups = list(FORMATS[name].group_bounds(source, 0))
    assert [one.group for one in groups] == list(range(source.files[0].groups))
    assert sum(one.rows for one in groups) == 12
    found = gather_statistics(source)
    assert (found.groups[0].lower, found.groups[-1].upper) == (1, 3)
    span = GroupSpan(0, 0, source.files[0].groups)
    batches = read_span(source, span, ["x", "id"])
    rows = pd.concat([batch.to_pandas() for batch in batches], ignore_index=True)
    pd.testing.assert_frame_equal(rows, FRAME[["x", "id"]])


def test_a_new_format_is_one_line_of_the_table(tmp_path, monkeypatch):
    table = {**FORMATS, "text": dataclasses.replace(FORMATS["csv"], suffixes=(".text",))}
    for module in (formats, opening, read, statistics, text_times):
        monkeypatch.setattr(module, "FORMATS", table)
    suffixes = {**SUFFIXES, ".text": "text"}
    monkeypatch.setattr(formats, "SUFFIXES", suffixes)
    monkeypatch.setattr(discovery, "SUFFIXES", suffixes)
    FRAME.to_csv(tmp_path / "a.text", index=False)
    source = open_source(tmp_path, column_id="id", column_sort="time")
    assert (source.format, source.rows) == ("text", 12)
    assert gather_statistics(source).profile.ids == 3
