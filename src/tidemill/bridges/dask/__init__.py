"""Data that already live on a Dask cluster: features are calculated where they are.

``calculate`` holds what runs on a worker and what it is told; the other modules make tasks of it
for Dask DataFrames, bags, delayed frames and futures. No partition passes through the client.
"""
