"""What people read: summaries as text and Markdown, charts, the catalogue of calculators.

In come summaries, records and tables; out come strings and pictures. Nothing here decides anything.
"""
