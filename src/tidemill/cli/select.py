"""The command ``tidemill select``: choose columns of a table in this process, without Prefect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.cli.stopping import stoppable
from tidemill.reports.selection import write_selection
from tidemill.selection.table import select_from_table
from tidemill.selection.table_request import selection_request

__all__ = ["run_selection"]


def run_selection(given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose columns, write what was found, and summarise it.

    Parameters
    ----------
    given : all values of the door SELECT, by name
    """
    with stoppable():
        request = selection_request(given)
        return write_selection(request, select_from_table(request))
