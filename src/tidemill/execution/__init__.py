"""One run, from its plan to a published result, in this process or piece by piece on workers.

In comes a ``Request`` or the address of a recorded run; out come committed parts, a published sink
and a run record. Every step is a plain function. This room knows neither Prefect nor Dask, and not
why a run was started.
"""
