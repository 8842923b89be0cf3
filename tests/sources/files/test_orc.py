"""ORC: stripes are groups."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import orc

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_span

N_ROWS = 200_000


@pytest.fixture
def source(tmp_path):
    values = np.random.default_rng(0).normal(size=N_ROWS)
    table = pa.table({"note": np.arange(N_ROWS), "id": np.arange(N_ROWS) // 100, "x": values})
    orc.write_table(table, tmp_path / "a.orc", stripe_size=2**20)
    return open_source(tmp_path, column_id="id", column_value="x"), values


def test_stripes_are_groups(source):
    opened, values = source
    groups = opened.files[0].groups
    assert groups > 1
    assert opened.rows == N_ROWS
    bounds = list(FORMATS["orc"].group_bounds(opened, 0))
    assert [one.group for one in bounds] == list(range(groups))
    batches = list(read_span(opened, GroupSpan(0, 1, groups), ["x", "id"], rows=1000))
    assert max(batch.num_rows for batch in batches) == 1000
    found = pa.Table.from_batches(batches)
    np.testing.assert_array_equal(found["x"], values[bounds[0].rows :])
    np.testing.assert_array_equal(found["id"], np.arange(bounds[0].rows, N_ROWS) // 100)


@pytest.mark.parametrize("content", [b"", b"ORC", b"ORC" + b"x" * 1000])
def test_damaged_files(content, tmp_path):
    (tmp_path / "a.orc").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.orc "):
        open_source(tmp_path, column_id="id")
