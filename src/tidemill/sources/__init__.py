"""Input to batches: what users have, as blocks of series.

``files`` opens Parquet and CSV and reads their statistics; ``rows`` groups rows by id and sorts
them; ``frames`` takes pandas frames and arrays. Out come batches of float64 series. A new input
format is one module in ``files`` and one line in ``files/formats.py``. This room knows no run,
nothing of a plan's parts except their spans, and nothing of what is calculated.
"""
