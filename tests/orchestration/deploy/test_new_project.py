"""A new project is the package's files under a name of its own, and overwrites nothing."""

import sys
from pathlib import Path
from subprocess import run

import pytest

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.new_project import PACKAGED, write_project
from tidemill.orchestration.deploy.project_file import read_project


@pytest.fixture
def project(tmp_path) -> Path:
    write_project(tmp_path / "harvest")
    return tmp_path / "harvest"


def test_a_project_is_that_of_the_package_under_a_name_of_its_own(project):
    written = {str(one.relative_to(project)) for one in project.rglob("*.yaml")}
    packaged = {str(one.relative_to(PACKAGED)) for one in PACKAGED.rglob("*.yaml")}
    assert written == {name for name in packaged if not name.startswith("containers/")}
    assert {"prefect.yaml", "settings.yaml", "clusters/two-processes.yaml"} <= written
    mine, theirs = (read_project(folder / "prefect.yaml") for folder in (project, PACKAGED))
    assert (mine.name, theirs.name) == ("harvest", "tidemill")
    assert mine.deployments == theirs.deployments


def test_what_to_do_next_is_said_in_three_lines(tmp_path):
    said = write_project(tmp_path / "mine").splitlines()
    assert len(said) == 3
    assert f"tidemill up {tmp_path / 'mine'} " in said[1]
    assert f"tidemill deploy {tmp_path / 'mine'}/prefect.yaml" in said[2]


def test_a_second_project_in_the_folder_is_refused(project):
    before = {one: one.read_text() for one in project.rglob("*.yaml")}
    (project / "settings.yaml").unlink()
    with pytest.raises(ArgumentError, match=r"prefect\.yaml.* would be overwritten"):
        write_project(project)
    assert not (project / "settings.yaml").exists()
    assert all(one.read_text() == text for one, text in before.items() if one.exists())


def test_a_project_is_written_without_importing_prefect(tmp_path):
    program = (
        "import sys; from tidemill.orchestration.deploy.new_project import write_project; "
        "write_project(sys.argv[1]); sys.exit('prefect' in sys.modules)"
    )
    done = run([sys.executable, "-c", program, tmp_path / "new"], timeout=60, check=False)
    assert done.returncode == 0
    assert (tmp_path / "new" / "prefect.yaml").exists()
