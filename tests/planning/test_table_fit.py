from dataclasses import replace

import pytest

from tidemill.errors import ArgumentError
from tidemill.planning.prepare import find_interval_files
from tidemill.planning.table_fit import fit_table

from ..support.daily import DAYS, request, run, source, table

__all__ = ["source", "table"]  # fixtures


def test_days_of_another_zone_need_to_know_the_zone_of_the_times(source, table):
    made = request(source, table, DAYS[0])
    found = find_interval_files(made)
    with pytest.raises(ArgumentError, match="name no time zone"):
        fit_table(replace(made, timezone="Europe/Berlin"), found)


def test_ids_are_of_the_type_that_the_table_has(source, table):
    run(source, table, DAYS[0])
    made = request(source, table, DAYS[1])
    found = replace(find_interval_files(made), id_type="int16")
    assert fit_table(made, found).id_type == "int64"
