"""Files as input: which there are, what identifies them, their statistics and their rows.

In come paths and URLs; out come a ``Source`` and Arrow batches of the columns in use. A new format
is a module here, beside ``csv``. What the rows mean is decided in ``rows``.
"""
