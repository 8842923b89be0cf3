"""What people read: summaries as text and Markdown, charts, the catalogue of calculators.

Summaries, records and tables come in; strings and pictures go out. Nothing here may decide what
runs, read input or write a sink: only charts write a file, the picture.
"""
