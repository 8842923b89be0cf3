"""The stack of ``tidemill up``: a Prefect server, workers and Dask, kept running on this machine.

In comes a project; out come processes that are started in order, started again when they die, and
stopped together. What they are is data (``children``); keeping them (``supervise``) knows nothing
of Prefect.
"""
