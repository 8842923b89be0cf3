"""Make ``src/tidemill/data/sea_surface_temperature.parquet``, the series of ``tidemill demo``.

It needs one package that tidemill itself does not::

    pip install bokeh_sampledata==2026.1
    python docs/make_demo_data.py
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from bokeh_sampledata.sea_surface_temperature import sea_surface_temperature

TARGET = Path(__file__).parents[1] / "src/tidemill/data/sea_surface_temperature.parquet"
PER_DAY = 48  # half-hourly observations
DAYS_PER_GROUP = 50  # a row group holds whole days, so that a run can be cut between them

SCHEMA = pa.schema(
    [
        pa.field("day", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("temperature", pa.float64(), nullable=False),
    ]
)


def whole_days(observations: pd.DataFrame) -> pd.DataFrame:
    """Keep the days with one observation per half hour, and name them in a column ``day``."""
    rows = observations.rename_axis("time").reset_index()
    rows["day"] = rows["time"].dt.strftime("%Y-%m-%d")
    on_grid = rows["time"].groupby(rows["day"]).transform("nunique") == PER_DAY
    complete = rows["time"].groupby(rows["day"]).transform("size") == PER_DAY
    return rows.loc[on_grid & complete, SCHEMA.names]


def main() -> None:
    """Write the file."""
    table = pa.Table.from_pandas(
        whole_days(sea_surface_temperature), schema=SCHEMA, preserve_index=False
    )
    pq.write_table(
        table.replace_schema_metadata(None),
        TARGET,
        compression="zstd",
        use_dictionary=["day", "temperature"],
        column_encoding={"time": "DELTA_BINARY_PACKED"},  # a constant step: 195 to 53 kB
        row_group_size=DAYS_PER_GROUP * PER_DAY,
    )


if __name__ == "__main__":
    main()
