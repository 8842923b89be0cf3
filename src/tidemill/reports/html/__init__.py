"""The report of a run as one HTML file: nothing in it runs or loads, and it reads without scripts.

`collect` reads the records of a run and of the intervals before it into frozen values. Sections and
drawings are markup made of them, where text is escaped unless it is markup already; `page` is the
whole file; `write` puts it beside the table, links it with others, and never fails a run.
"""
