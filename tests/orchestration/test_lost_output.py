"""A run whose output nobody reads any more goes on; a command ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ..support.programs import child_environment

SCRIPT = """
import sys
from pathlib import Path
from prefect.logging.configuration import setup_logging
from prefect.logging.loggers import get_logger
from tidemill.orchestration.lost_output import outlast_output

setup_logging()
outlast_output()
log = get_logger("one")
log.info("begun")
sys.stdin.read()
for word in ("one", "two"):
    log.info(word)
    print(word, flush=True)
    print(word, file=sys.stderr, flush=True)
Path(sys.argv[1]).touch()
"""


@pytest.mark.parametrize("started_by_worker", [True, False])
def test_a_run_goes_on_without_whoever_read_its_output(started_by_worker, tmp_path):
    end = tmp_path / "end"
    environment = {
        "PREFECT__FLOW_RUN_ID": "x" if started_by_worker else "",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=child_environment(environment),
    )
    with run:
        assert b"begun" in run.stdout.readline()
        run.stdout.close()  # as by the death of a worker
        run.stdin.close()
        assert run.wait(120) == (0 if started_by_worker else 1)
    assert end.exists() == started_by_worker
