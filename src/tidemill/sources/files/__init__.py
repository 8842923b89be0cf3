"""Files as input: find them, identify them, and read their statistics and rows.

In come paths and URLs; out come a ``Source`` and Arrow batches of the columns in use. What the rows
mean is decided in ``rows``.

To add an input format, write a module beside ``csv`` and ``parquet`` that makes a ``Format``
(``file_format`` says what it provides: schema, rows, bounds of the ids, batches), and add it to
``FORMATS`` in ``formats``. Nothing else knows which formats there are, except messages in
``discovery`` that name them.
"""
