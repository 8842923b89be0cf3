"""Databases as input: a query's rows are read once, in one transaction, into a snapshot.

In come a URL and a table or query; out come Parquet files in the run's work folder, which the rest
of tidemill reads like any other. No other module knows SQL.

To add a database, write a module beside ``postgres`` and ``sqlite`` with a class that fits
``database.Database``, and add it to ``CLIENTS`` in ``clients``.
"""
