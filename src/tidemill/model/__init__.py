"""Frozen values that every other room speaks of: series, ids, sources, plans, intervals.

In comes nothing but Python, NumPy and Arrow values; out go dataclasses, names and digests. Nothing
here opens a connection or calls a calculator, and nothing here imports another room. Only
``documents`` reads files: those that a person wrote, before anything is known of a run.
"""
