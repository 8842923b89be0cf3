"""Whatever pandas writes in any dialect reads back equal, or is refused."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.errors import DataError, SourceError
from tidemill.model.source import ColumnRoles, Reading
from tidemill.sources.files import csv_rows
from tidemill.sources.files.csv_numbers import parse_numbers
from tidemill.sources.files.csv_rows import numbers_of, open_table, refuse_empty

ROLES = ColumnRoles("id", None, None, ("x", "y"))
TEXT = st.text(st.sampled_from("ab01-.,;|#/\"' \t\n\xe4\u20ac"), min_size=1, max_size=6)
FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6).map(float),
    st.integers(-(10**5), 10**5).map(lambda n: n / 8), st.none(),
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    ids=st.lists(TEXT, min_size=1, max_size=8),
    data=st.data(),
    delimiter=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    nothing=st.sampled_from(["", "NA", "-"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([0, 1]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    block=st.sampled_from([256, 2**22]),
)
def test_frames_read_back_or_are_refused(
    ids, data, delimiter, decimal, nothing, end, quoting, encoding, block
):
    size = len(ids)
    columns = {name: data.draw(st.lists(FLOATS, min_size=size, max_size=size)) for name in "xy"}
    frame = pd.DataFrame({"id": ids, **columns}).astype({"x": float, "y": float})
    buffer = io.BytesIO()
    frame.to_csv(
        buffer, index=False, sep=delimiter, decimal=decimal, na_rep=nothing,
        lineterminator=end, quoting=quoting, encoding=encoding,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "BLOCK_BYTES", block)
        try:
            found = frame_of(buffer.getvalue())
        except (SourceError, DataError):
            return
    pd.testing.assert_frame_equal(found, frame)


def frame_of(content):
    with open_table(pa.BufferReader(content), "a.csv", Reading()) as table:
        numbers = numbers_of(table, ROLES)
        batches = list(table.batches(["id", "x", "y"]))
    whole = pa.Table.from_batches(batches).combine_chunks()
    values = {
        name: np.asarray(parse_numbers(pa.concat_arrays(whole[name].chunks), numbers, name, 1))
        for name in "xy"
    }
    return pd.DataFrame({"id": whole["id"].to_pylist(), **values})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_ordinary_frames_are_not_refused(delimiter, decimal, encoding):
    values = np.random.default_rng(0).normal(size=(200, 2))
    frame = pd.DataFrame(
        {"id": [f"{n % 7}, a" for n in range(200)]} | {"x": values[:, 0], "y": values[:, 1]}
    )
    frame.loc[3::10, "y"] = np.nan
    buffer = io.BytesIO()
    frame.to_csv(buffer, index=False, sep=delimiter, decimal=decimal, encoding=encoding)
    pd.testing.assert_frame_equal(frame_of(buffer.getvalue()), frame)


def test_columns_come_in_the_order_of_the_request():
    with open_table(pa.BufferReader(b"a,b,c\n1,2,3\n"), "a.csv", Reading()) as table:
        assert [batch.to_pylist() for batch in table.batches(["c", "a"])] == [
            [{"c": "3", "a": "1"}]
        ]


def test_empty_texts_are_counted_and_named():
    with pytest.raises(DataError, match=r"a\.csv: column 'id' is empty in 2 rows \(rows 11, 13\)"):
        refuse_empty(pa.array(["a", "", "b", ""]), "id", "a.csv", 10)
