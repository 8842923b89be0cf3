"""The ways into the flow: Python, a script, the file itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

import tidemill
from tidemill.errors import ArgumentError
from tidemill.flows.extract import extract

from ..support import programs
from ..support.inputs import make_input
from ..support.waiting import until

FLOW = Path(__file__).parents[2] / "flows" / "extract.py"

SCRIPT = """\
import prefect
from tidemill.flows.extract import extract

if __name__ == "__main__":
    summary = extract({source!r}, {sink!r}, "id", "time", settings="minimal", cluster="processes:1")
    print(prefect.__version__, summary["rows"], "rows")
"""


@pytest.mark.usefixtures("prefect_server")
def test_a_frame_is_refused(sink):
    with pytest.raises(ArgumentError, match=r"DataFrame.*extract_features takes frames"):
        extract(pd.DataFrame({"id": [1], "x": [1.0]}), str(sink), "id")
    assert not sink.exists()


def test_the_file_is_a_script(tmp_path):
    with programs.program([sys.executable, FLOW, "--help"], {"PYTHONPATH": ""}) as shown:
        shown.finishes()
        assert "--column-id" in shown.output


@pytest.mark.slow
@pytest.mark.leaves_nothing
def test_a_script_works_with_the_embedded_server(tmp_path, sink):
    """No Prefect server runs: the process starts one, and its workers start none."""
    series = make_input(tmp_path, n_ids=3)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(source=str(series.path), sink=str(sink)))
    environment = {"PYTHONPATH": "", "PREFECT_HOME": str(tmp_path / "prefect")}
    with programs.program([sys.executable, script], environment) as ran:
        ran.finishes(240)
        assert "3 rows" in ran.output
        assert ran.output.count("Starting temporary server") == 1, ran.output
        until(lambda: not programs.session_members(ran.pid), 20, "the embedded server to end")
    assert list(tidemill.read_matrix(str(sink)).index) == series.ids
