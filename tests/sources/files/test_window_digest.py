"""The rows of a window identify it, whatever files they are in."""

import pandas as pd
import pytest

from tidemill.sources.files.open import find_files
from tidemill.sources.files.window_digest import read_window

DAY = 86_400 * 10**9
START = pd.Timestamp("2026-01-01", tz="UTC").value
TIMES = pd.Timestamp("2026-01-01") + pd.to_timedelta(range(48), "h")
FRAME = pd.DataFrame({"id": [1, 2, 3] * 16, "time": TIMES.as_unit("us"), "x": range(48)})


def window_of(folder, *frames, roles=("id", "time", None, None)):
    folder.mkdir()
    for number, frame in enumerate(frames):
        frame.to_parquet(folder / f"{number}.parquet", index=False)
    return read_window(find_files(str(folder), roles, None, (START, START + DAY)))


def test_the_fingerprint_does_not_depend_on_order_or_files(tmp_path):
    one = window_of(tmp_path / "one", FRAME)
    many = window_of(tmp_path / "many", FRAME[12:].sample(frac=1, random_state=0), FRAME[:12])
    assert one.fingerprint == many.fingerprint
    assert sum(file.rows for file in one.files) == sum(file.rows for file in many.files) == 24


def test_rows_outside_the_window_do_not_count(tmp_path):
    changed = FRAME.assign(x=FRAME["x"].where(FRAME.index < 24, -1))
    before, after = (window_of(tmp_path / name, frame) for name, frame in
                     (("before", FRAME), ("after", changed)))  # fmt: skip
    assert before.fingerprint == after.fingerprint


@pytest.mark.parametrize("column", ["id", "x"])
def test_any_value_of_the_window_counts(tmp_path, column):
    changed = FRAME.copy()
    changed.loc[7, column] += 1
    one, other = window_of(tmp_path / "a", FRAME), window_of(tmp_path / "b", changed)
    assert one.fingerprint != other.fingerprint


def test_kinds_are_those_of_the_window(tmp_path):
    long = FRAME.assign(kind=["b", "a"] * 12 + ["c"] * 24)
    source = window_of(tmp_path / "long", long, roles=("id", "time", "kind", "x"))
    assert source.kinds == ("a", "b")
