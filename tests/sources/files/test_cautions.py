"""What can be read, but perhaps not as it was meant, is said before the run and in its record."""

import pandas as pd
import pytest

from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.sources.files.cautions import caution_of
from tidemill.sources.files.open import open_source
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

FRAME = pd.DataFrame({"id": [1, 1], "t": [1, 2], "x": [1.0, 2.0]})


def written(folder, *places):
    for number, place in enumerate(places):
        (folder / place).mkdir(parents=True, exist_ok=True)
        frame = FRAME.assign(t=FRAME["t"] + 10 * number)
        frame.to_parquet(folder / place / "x.parquet", index=False)
    return folder


@pytest.mark.parametrize(
    ("places", "roles", "said"),
    [
        (["site=a", "site=b"], {}, "column 'site' (a, b), which has no role"),
        (["site=a", "site=b"], {"column_id": ["site", "id"]}, ""),
        (["site=a"], {}, ""),
        (["date=2026-11-27", "date=2026-11-28"], {}, ""),
        (["p=2026-11", "p=2026-12"], {}, ""),
        (["year=2026/month=1", "year=2026/month=2"], {}, ""),
        (["year=2025/unit=7", "year=2026/unit=8"], {}, "column 'unit' (7, 8)"),
    ],
)
def test_columns_in_folders_without_a_role(tmp_path, places, roles, said):
    source = open_source(written(tmp_path, *places), **{"column_id": "id"} | roles)
    found = caution_of(source)
    assert (said in found) if said else not found


def test_text_that_is_sorted_as_text_is_named_in_log_and_record(tmp_path, caplog):
    frame = FRAME.assign(t=["b", "a"])
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    sink = tmp_path / "out"
    given = {"column_id": "id", "column_sort": "t", "settings": "minimal"}
    extract_here(make_request(tmp_path / "in.parquet", sink, **given), threads=1)
    said = "column 't' holds text that is neither a time nor a number: rows are sorted as text"
    assert said in caplog.messages
    assert history(SinkLayout.of(sink), 1)[0].notes == (said,)
