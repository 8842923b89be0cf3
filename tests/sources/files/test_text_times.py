"""Sort columns of text are times if their first rows say so; doubtful ones are refused."""

import pandas as pd
import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.model.source import Reading
from tidemill.sources.files import text_times
from tidemill.sources.files.open import open_source
from tidemill.sources.files.schema import read_schema

FRAME = pd.DataFrame({"id": [1, 1], "x": [1.0, 2.0]})


def sort_type(folder, *texts, reading=Reading()):  # noqa: B008 (frozen)
    for number, pair in enumerate(texts):
        FRAME.assign(time=pair).to_parquet(folder / f"{number}.parquet", index=False)
    source = open_source(folder, column_id="id", column_sort="time", reading=reading)
    return read_schema(source).field("time").type


@pytest.mark.parametrize(
    ("texts", "type_"),
    [
        (["2026-11-27", "2026-11-28T06:00"], pa.timestamp("ns")),
        (["2026-11-27T06:00Z", "2026-11-27T06:00:01.5+01:00"], pa.timestamp("ns", "UTC")),
        (["b", "a"], pa.string()),
    ],
)
def test_the_type_is_told_from_the_text(tmp_path, texts, type_):
    assert sort_type(tmp_path, texts) == type_


@pytest.mark.parametrize("text", ["9/1/2024", "Jan 1 2000", "01.02.2024", "9:30", "10"])
def test_text_that_is_a_time_or_a_number_in_another_form_is_refused(tmp_path, text):
    with pytest.raises(SourceError, match=r"0\.parquet: column 'time'"):
        sort_type(tmp_path, [text, text])


def test_files_of_which_only_one_holds_times_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"type timestamp\[ns\] in .*0.*, but string in .*1"):
        sort_type(tmp_path, ["2026-11-27", "2026-11-28"], ["b", "a"])


def test_a_format_reads_what_iso_does_not(tmp_path):
    reading = Reading(time_format="%d.%m.%Y")
    assert sort_type(tmp_path, ["01.02.2024", "02.02.2024"], reading=reading) == pa.timestamp("ns")


def test_the_first_rows_of_a_version_are_read_once(tmp_path, monkeypatch):
    sort_type(tmp_path, ["2026-11-27", "2026-11-28"])
    before = text_times._first_texts.cache_info()
    sort_type(tmp_path)
    after = text_times._first_texts.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    sort_type(tmp_path, ["2026-11-27", "2026-11-29"])
    assert text_times._first_texts.cache_info().misses == before.misses + 1
