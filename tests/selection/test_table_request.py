"""What a selection is asked for: refused in sentences before anything is read."""

from __future__ import annotations

import pytest

from tidemill.errors import ArgumentError
from tidemill.selection.table_request import MAX_BYTES, selection_request
from tidemill.storage.stores import Store

GIVEN = {"matrix": "/data/pumps", "target": "/data/worn.csv", "column_target": "worn"}


def test_results_lie_beside_the_table_by_default():
    assert selection_request(GIVEN).output == Store("/data/pumps_selection")
    single = selection_request({**GIVEN, "matrix": "/data/pumps.parquet"})
    assert single.output == Store("/data/pumps_selection")
    remote = selection_request({**GIVEN, "matrix": "s3://bucket/pumps"})
    assert remote.output.url == "s3://bucket/pumps_selection"


def test_values_become_those_of_the_request():
    more = {"column_id": "pump", "interval": "2030-01-01/", "max_bytes": 1_000, "max_features": 40}
    made = selection_request({**GIVEN, **more})
    assert (made.column_id, made.interval) == (("pump",), slice("2030-01-01", None))
    assert (made.max_bytes, made.max_features) == (1_000, 40)
    assert selection_request(GIVEN).max_bytes == MAX_BYTES


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"target": "/data/worn.xlsx"}, r"target='/data/worn.xlsx' is not allowed; give a file"),
        ({"output": "/data/pumps/chosen"}, "it lies in the table /data/pumps; give a folder"),
        ({"output": "/data/pumps"}, "it lies in the table"),
        ({"relevance_file": "a/b.csv"}, "relevance_file='a/b.csv' is not allowed"),
        ({"relevance_file": "table.xlsx"}, r"a file that ends in .parquet or .csv"),
        ({"fdr_level": 1}, "fdr_level=1 is not allowed; give a share below 1"),
        ({"fdr_level": 0}, "fdr_level=0 is not allowed; give a number above 0"),
        ({"max_features": 0}, "max_features=0 is not allowed; give 1 or more"),
        ({"n_significant": 0}, "n_significant=0 is not allowed; give 1 or more"),
        ({"max_bytes": 0}, "max_bytes=0 is not allowed; give 1 or more"),
        ({"ml_task": "ranking"}, "ml_task='ranking' is not allowed; choose one of 'auto'"),
        (
            {"test_for_binary_target_real_feature": "t"},
            "test_for_binary_target_real_feature='t' is not allowed",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(more, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        selection_request({**GIVEN, **more})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"matrix": "pumps", "target": "o/relevance.parquet"}, "target"),
        ({"matrix": "o/m.parquet", "target": "y.csv", "relevance_file": "m.parquet"}, "matrix"),
    ],
)
@pytest.mark.parametrize("output", ["o", "link"])
def test_results_never_take_the_place_of_an_input(given, name, output, tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "link").symlink_to("o")
    places = {key: str(tmp_path / given[key]) for key in ("matrix", "target")}
    with pytest.raises(ArgumentError, match=f"is not allowed: with output=.* it is the {name}"):
        selection_request(
            {**given, **places, "column_target": "y", "output": str(tmp_path / output)}
        )


def test_a_link_to_the_table_is_the_table(tmp_path):
    (tmp_path / "link").symlink_to("pumps")
    given = {"matrix": str(tmp_path / "pumps"), "target": str(tmp_path / "y.csv")}
    with pytest.raises(ArgumentError, match="it lies in the table"):
        selection_request({**given, "column_target": "y", "output": str(tmp_path / "link")})
