"""Fixtures of this room: three days of hourly rows, and a place for their table."""

from ..support.daily import source, table

__all__ = ["source", "table"]
