"""Keys of ids answer as Python does on the ids themselves, whether coded or not."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import DataError
from tidemill.sources.rows.id_keys import merge_counts, plain, read_keys, sums

IDS = st.lists(st.integers(-4, 4), min_size=1, max_size=30)
MAKE = {
    "numbers": pa.array,
    "text": lambda ids: pa.array([f"{9 + one:02d}" for one in ids]),
    "dictionary": lambda ids: pa.array([f"{9 + one:02d}" for one in ids]).dictionary_encode(),
}


@pytest.mark.parametrize("form", MAKE)
@given(ids=IDS, lower=st.integers(-5, 5), upper=st.integers(-5, 5))
def test_keys_compare_and_count_as_the_ids_do(form, ids, lower, upper):
    array = MAKE[form](ids)
    keys, values = read_keys(array, "id"), array.to_pylist()
    low, high = MAKE[form]([lower, upper]).to_pylist()
    for bounds in ((low, high), (low, None), (None, high), (None, None)):
        mask = keys.within(*bounds)
        wanted = [
            (bounds[0] is None or one >= bounds[0]) and (bounds[1] is None or one < bounds[1])
            for one in values
        ]
        assert all(wanted) if mask is None else mask.tolist() == wanted
    assert tuple(map(plain, keys.bounds())) == (min(values), max(values))
    key, mask = keys.last()
    assert (plain(key), mask.tolist()) == (max(values), [one == max(values) for one in values])
    found, rows = keys.counts()
    assert list(zip(found.tolist(), rows.tolist(), strict=True)) == sorted(Counter(values).items())


def test_unused_entries_of_a_dictionary_are_no_ids():
    array = pa.DictionaryArray.from_arrays(pa.array([1, 1]), pa.array(["a", "b", "c"]))
    keys = read_keys(array, "id")
    assert keys.bounds() == ("b", "b")
    assert keys.last()[0] == "b"
    assert keys.counts()[0].tolist() == ["b"]


def test_counts_are_merged_by_key():
    keys, rows = merge_counts(
        [np.array([1, 3]), np.array([1, 2])], [np.array([5, 1]), np.array([2, 4])]
    )
    assert (keys.tolist(), rows.tolist()) == ([1, 2, 3], [7, 4, 1])
    assert rows.dtype == np.int64


def test_sums_of_places_that_do_not_occur_are_zero():
    assert sums(np.array([2, 0, 2]), np.array([0.5, 1.0, 2.0])).tolist() == [1.0, 0.0, 2.5]


def test_null_ids_are_refused():
    with pytest.raises(DataError, match="column 'id' is null in 1 of 2 rows"):
        read_keys(pa.array([1, None]), "id")


@pytest.mark.parametrize("is_coded", [False, True])
def test_text_that_ends_in_nul_is_itself(is_coded):
    ids = pa.array(["a", "a\0", "a\0\0", "b", "b\0"])
    keys = read_keys(ids.dictionary_encode() if is_coded else ids, "id")
    assert keys.within("a\0", "b\0").tolist() == [False, True, True, True, False]
    assert keys.last()[0] == "b\0"
    assert keys.last()[1].tolist() == [False] * 4 + [True]
    assert keys.counts()[0].tolist() == ids.to_pylist()
