"""pandas frames and NumPy arrays as input: the columns' roles are checked, values become series.

In come frames in tsfresh's three formats, or arrays; out come the same batches that files give.
This is one of the two doors that know pandas.
"""
