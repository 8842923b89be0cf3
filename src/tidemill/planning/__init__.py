"""From what is asked for to a plan: checks, parts, chunks, and what published features stay.

In comes a ``Request``; out comes a frozen ``Plan`` that any worker can carry out. Planning reads
footers, samples and records, and writes nothing. It knows neither workers nor clusters.
"""
