"""What every format provides has the promised form."""

import pyarrow as pa
import pytest

from tidemill.model.source import ColumnRoles
from tidemill.sources.files.file_format import Description, Format, GroupBounds
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.open import open_source


@pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS)
def test_types_are_given_for_all_columns_in_their_order(format_):
    schema = pa.schema({"note": pa.string(), "id": pa.int64(), "x": pa.int32()})
    typed = format_.read_types(schema, ColumnRoles("id", None, None, ("x",)))
    assert typed.names == schema.names
    assert typed.field("id").type == pa.int64()
    assert isinstance(format_, Format)
    assert all(one.startswith(".") and one == one.lower() for one in format_.suffixes)


def test_a_format_that_infers_types_describes_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,0.5\n")
    format_ = FORMATS["csv"]
    with pa.OSFile(str(tmp_path / "a.csv")) as file:
        found = format_.describe(file, "a.csv", 12)
    assert not format_.is_self_describing
    assert found == Description(pa.schema({"id": pa.int64(), "x": pa.float64()}), 0, 1)
    source = open_source(tmp_path, column_id="id")
    assert list(format_.group_bounds(source, 0)) == [GroupBounds(0, 1, None)]
