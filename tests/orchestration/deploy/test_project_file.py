"""prefect.yaml is read strictly: what is wrong is named, all at once."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.new_project import PACKAGED, write_project
from tidemill.orchestration.deploy.project_file import (
    Schedule,
    check_name,
    project_file,
    read_project,
)


@pytest.fixture
def project(tmp_path) -> Path:
    write_project(tmp_path / "harvest")
    return tmp_path / "harvest"


def changed(project: Path, change) -> Path:
    """Return the project's file after ``change`` of its content and of its deployment by hand."""
    file = project / "prefect.yaml"
    content = yaml.safe_load(file.read_text())
    content["deployments"] = content["deployments"][:1]
    change(content, content["deployments"][0])
    file.write_text(yaml.safe_dump(content))
    return file


def test_the_file_of_this_folder_comes_before_the_packaged_one(project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project_file() == PACKAGED / "prefect.yaml"
    monkeypatch.chdir(project)
    assert project_file() == Path("prefect.yaml")
    assert project_file("other.yaml") == Path("other.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda _, d: d.update(retries=3),
            "'daily': key 'retries' is not allowed .*allowed: name,",
        ),
        (lambda p, _: p.update(schedules=[]), "key 'schedules' is not allowed; allowed: name,"),
        (lambda p, _: p.update(name=None), "key 'name' is missing"),
        (lambda p, _: p.update(build=[{"x": {}}]), "build=.* nothing is built"),
        (lambda _, d: d.update(name="a/b"), "name='a/b' is not allowed; allowed: text without /"),
        (lambda _, d: d.pop("entrypoint"), "key 'entrypoint' is missing"),
        (
            lambda _, d: d.update(work_pool={"nam": "x"}),
            "work_pool: key 'nam' .*allowed: name, work_q",
        ),
        (
            lambda _, d: d.update(tags="nightly"),
            "tags='nightly' is not allowed; allowed: a list",
        ),
        (lambda _, d: d.update(paused=1), "paused=1 is not allowed; allowed: true or false"),
        (lambda _, d: d.update(concurrency_limit=True), "concurrency_limit=True is not allowed"),
        (
            lambda _, d: d.update(concurrency_limit=0),
            "concurrency_limit: limit=0 .*allowed: a whole number above 0",
        ),
        (
            lambda _, d: d.update(concurrency_limit={"limit": 1, "collision_strategy": "WAIT"}),
            "collision_strategy='WAIT' is not allowed; allowed: ENQUEUE",
        ),
        (
            lambda _, d: d.update(schedules=[{"crn": "* * * * *"}]),
            "schedule 1: key 'crn' .*cron, int",
        ),
        (lambda _, d: d.update(schedules=[{"timezone": "UTC"}]), "schedule 1: no rule given"),
        (
            lambda _, d: d.update(schedules=[{"cron": "* * * * *", "interval": 3}]),
            "cron and interval given; give one of",
        ),
        (
            lambda _, d: d.update(schedules=[{"cron": "at night"}]),
            "schedule 1: cron='at night' is not allowed: ",
        ),
        (
            lambda _, d: d.update(schedules=[{"cron": "0 0 * * *", "timezone": "Mars"}]),
            "schedule 1: timezone='Mars' is not allowed; give an IANA name",
        ),
        (
            lambda _, d: d.update(schedules=[{"interval": -1}]),
            "schedule 1: interval=.* is not allowed: ",
        ),
        (
            lambda _, d: d.update(schedules=[{"interval": True}]),
            "schedule 1: interval='True' is not allowed; allowed: seconds, or text",
        ),
        (
            lambda _, d: d.update(schedules=[{"cron": "* * * * *", "anchor_date": "2026-01-01"}]),
            "schedule 1: anchor_date='2026-01-01' is not allowed: ",
        ),
        (
            lambda _, d: d.update(schedules=[{"cron": "* * * * *", "slug": "a"}] * 2),
            "schedules: slug given twice; each may be given once: a",
        ),
        (lambda _, d: d.update(schedules=[3]), "schedules=3 is not allowed; allowed: a mapping"),
        (lambda p, _: p.update(retries=None), "key 'retries' is not allowed"),
        (lambda p, _: p.update({3: 4}), "key 3 is not allowed"),
        (
            lambda _, d: d["parameters"].update(sink="{{ $NO_SUCH }}/x"),
            "NO_SUCH.* cannot be filled in",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_place_and_remedy(project, change, message):
    file = changed(project, change)
    with pytest.raises(ArgumentError, match=message) as error:
        read_project(file)
    assert str(file) in str(error.value)


def test_all_that_is_wrong_is_said_at_once(project):
    file = changed(project, lambda _, d: d.update(retries=3, paused="no"))
    with pytest.raises(ArgumentError) as error:
        read_project(file)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("name: x\nname: y", "key 'name' is given twice"),
        ("- 1", "not a mapping; allowed: name, "),
    ],
)
def test_no_yaml_and_keys_given_twice_are_refused(tmp_path, text, message):
    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    with pytest.raises(ArgumentError, match=message):
        read_project(file)


def test_a_misspelt_key_comes_before_the_one_it_left_out(project):
    file = changed(project, lambda p, _: p.update(nam=p.pop("name")))
    with pytest.raises(ArgumentError) as error:
        read_project(file)
    first, second = str(error.value).splitlines()
    assert "key 'nam' is not allowed" in first
    assert second.endswith("key 'name' is missing; required: name, deployments")


def test_null_is_the_same_as_a_missing_key(project):
    def change(_, deployment):
        nulls = dict.fromkeys(("tags", "paused", "schedules", "concurrency_limit", "version"))
        deployment.update(nulls, enforce_parameter_schema=None)

    (one,) = read_project(changed(project, change)).deployments
    assert (one.tags, one.paused, one.schedules) == ([], False, [])
    assert (one.concurrency_limit, one.version) == (None, None)
    assert one.enforce_parameter_schema


def test_a_limit_is_a_number_or_a_mapping(project):
    def limit(given):
        file = changed(project, lambda _, d: d.update(concurrency_limit=given))
        return read_project(file).deployments[0].concurrency_limit

    assert limit(3) == limit({"limit": 3, "collision_strategy": "ENQUEUE"})
    assert limit({"limit": 3, "collision_strategy": "CANCEL_NEW"}) != limit(3)


def test_a_schedule_becomes_that_of_prefect():
    day = {"interval": "P1D", "anchor_date": "2026-01-01T00:00:00Z", "slug": "day"}
    made = Schedule(**day, parameters={"hours": 24}, active=False).as_prefect()
    assert made.schedule.interval == timedelta(days=1)
    assert made.schedule.anchor_date.year == 2026
    assert (made.slug, made.active, made.parameters) == ("day", False, {"hours": 24})


@pytest.mark.parametrize("name", ["", "a/b", "50%", "<pool>", "a&b"])
def test_a_name_that_prefect_refuses_is_refused(name):
    check_name("my pool", "work_pool")
    with pytest.raises(ArgumentError, match=r"work_pool=.* is not allowed; allowed: text"):
        check_name(name, "work_pool")


def test_environment_variables_are_filled_in(project, monkeypatch):
    monkeypatch.setenv("SINKS", "s3://sinks")
    file = changed(project, lambda _, d: d["parameters"].update(sink="{{ $SINKS }}/one"))
    (deployment,) = read_project(file).deployments
    assert deployment.parameters["sink"] == "s3://sinks/one"
