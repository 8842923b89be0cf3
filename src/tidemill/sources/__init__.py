"""Input to batches: what users have, as blocks of series.

``files`` opens Parquet and CSV and reads their statistics, ``rows`` brings the rows of one id
together and into order, ``frames`` takes pandas frames and arrays. A new input format goes into
``files``. Out come batches of float64 series. This room knows no run, no plan's parts beyond their
spans, and nothing of what is calculated.
"""
