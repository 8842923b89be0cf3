"""Rows to series: ids and values are cast, rows of one id are brought together and into order.

In come Arrow batches, out come batches of series. Nothing here opens a file or knows pandas.
"""
