"""`tidemill up` on the command line; what it starts is tested in tests/orchestration/stack."""

import pytest
from click.testing import CliRunner

from tidemill.cli import main as cli
from tidemill.orchestration.deploy.new_project import write_project
from tidemill.orchestration.stack.ports import free_port


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path / "features")
    return tmp_path / "features"


def test_check_prints_a_line_for_all_that_it_looks_at(project):
    done = CliRunner().invoke(cli.cli, ["up", str(project), "--check", f"--port={free_port(4200)}"])
    assert done.exit_code == 0, done.output
    subjects = [line.split("  ")[0] for line in done.output.splitlines()]
    assert subjects[:3] == ["versions", "project", "home"]


def test_what_is_missing_is_the_status(project):
    (project / "prefect.yaml").write_text("name: x\n")
    done = CliRunner().invoke(cli.cli, ["up", str(project), "--check"])
    assert done.exit_code == 1
    assert "wrong: " in done.output
    assert "key 'deployments' is missing" in done.output


def test_nothing_is_started_if_something_is_missing(command, tmp_path):
    code, said = command("up", tmp_path / "none")
    assert code == 1
    assert "`tidemill init DIR` writes a project" in said
    code, said = command("up", tmp_path, "--port=0")
    assert code == 1
    assert said == "ArgumentError: --port 0 is not allowed; give one from 1 to 65535\n"
