"""Which intervals are due, and working through them: what a schedule does between two runs.

In come a calendar and a request about a table; out come findings (unchanged, missing, changed...),
and a report of what was done about each interval. Runs are made by ``execution``. This room does
not know Prefect: flows hand in what calculates one interval.
"""
