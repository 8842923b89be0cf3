"""The bundled data are what their README says."""

import pyarrow.parquet as pq

from tidemill.data import demo_path


def test_demo_data_are_whole_days():
    frame = pq.read_table(demo_path()).to_pandas()
    assert demo_path().stat().st_size < 200_000
    assert frame["day"].nunique() == 398
    assert (frame.groupby("day")["time"].nunique() == 48).all()
    assert frame["time"].is_monotonic_increasing
    assert frame["temperature"].between(0, 30).all()
