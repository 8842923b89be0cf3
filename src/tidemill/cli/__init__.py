"""The command ``tidemill``: options, subcommands, and the one line that an error becomes.

In come words from a shell; out come calls of flows and reports, and an exit status.
"""
