"""What every format provides has the promised form."""

import pyarrow as pa
import pytest

from tidemill.model.source import Reading
from tidemill.sources.files.file_format import Description, Format, GroupBounds
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.open import open_source


@pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS)
def test_suffixes_are_in_lower_case_and_types_come_from_somewhere(format_):
    assert isinstance(format_, Format)
    assert all(one.startswith(".") and one == one.lower() for one in format_.suffixes)
    assert (format_.scan is None) == format_.is_self_describing


def test_a_format_that_infers_types_describes_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,0.5\n")
    format_ = FORMATS["csv"]
    with pa.OSFile(str(tmp_path / "a.csv")) as file:
        found = format_.describe(file, "a.csv", 12, Reading())
    assert not format_.is_self_describing
    assert found == Description(pa.schema({"id": pa.null(), "x": pa.null()}), 0, 1)
    source = open_source(tmp_path, column_id="id")
    assert list(format_.group_bounds(source, 0)) == [GroupBounds(0, 1, None)]
