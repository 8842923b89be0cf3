"""One file of an input: opened as planned, counted, and named in errors."""

import pandas as pd
import pyarrow as pa
import pytest

from tidemill.errors import DataError, SourceChangedError, SourceError
from tidemill.sources.files.access import check_row_count, file_name, located, open_planned
from tidemill.sources.files.open import open_source


@pytest.fixture
def source(tmp_path):
    pd.DataFrame({"id": [1, 2], "x": [0.5, 1.5]}).to_csv(tmp_path / "a.csv", index=False)
    return open_source(tmp_path, column_id="id")


def test_a_file_is_opened_by_its_place_in_the_input(source, tmp_path):
    assert file_name(source, 0) == f"{tmp_path}/a.csv"
    with open_planned(source, 0) as file:
        assert file.read() == (tmp_path / "a.csv").read_bytes()


def test_a_file_that_is_missing_is_no_damaged_file(source, tmp_path):
    (tmp_path / "a.csv").unlink()
    with (
        pytest.raises(SourceChangedError, match=r"a\.csv no longer exists"),
        open_planned(source, 0),
    ):
        pass


def test_an_error_while_the_file_changes_is_a_change(source, tmp_path):
    def read_and_fail(change):
        with open_planned(source, 0):
            change()
            raise pa.ArrowInvalid("bad block")

    with pytest.raises(pa.ArrowInvalid, match="bad block"):
        read_and_fail(lambda: None)
    with pytest.raises(SourceChangedError, match=r"a\.csv had \d+ bytes"):
        read_and_fail(lambda: (tmp_path / "a.csv").write_text("id,x\n"))


@pytest.mark.parametrize("kind", [SourceError, DataError])
def test_errors_get_the_name_once(kind):
    with pytest.raises(kind, match=r"^a\.csv: no$"), located("a.csv"), located("a.csv"):
        raise kind("no")


@pytest.mark.parametrize("error", [OSError("disk"), pa.ArrowInvalid("disk")])
def test_errors_of_reading_say_what_to_do(error):
    with (
        pytest.raises(SourceError, match=r"a\.csv cannot be read \(disk\).*write it again"),
        located("a.csv"),
    ):
        raise error


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), located("a.csv"):
        raise ZeroDivisionError


@pytest.mark.parametrize("n_rows", [1, 3])
def test_rows_are_counted(n_rows):
    batch = pa.record_batch({"x": [1, 2]})
    assert list(check_row_count(iter([batch]), 2, "a.csv")) == [batch]
    with pytest.raises(SourceError, match=rf"a\.csv gave 2 rows instead of {n_rows}"):
        list(check_row_count(iter([batch]), n_rows, "a.csv"))
