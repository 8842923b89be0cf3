"""prefect.yaml is read strictly, a project is written once; differences without a server."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
import yaml

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.diff import Found, Wanted, compare, differences_text
from tidemill.orchestration.deploy.project_file import (
    Schedule,
    project_file,
    read_project,
    write_project,
)

PACKAGED = Path(str(resources.files("tidemill.deployments")))
CRON = Schedule({"cron": "0 1 * * *", "timezone": "UTC"})
NIGHTLY = replace(CRON, slug="tidemill-1", id="1")
PAUSED = replace(NIGHTLY, active=False)
RRULE = Schedule({"rrule": "FREQ=DAILY", "timezone": "UTC"})


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


def test_a_project_is_that_of_the_package_under_a_name_of_its_own(project):
    written = {str(one.relative_to(project)) for one in project.rglob("*.yaml")}
    packaged = {str(one.relative_to(PACKAGED)) for one in PACKAGED.rglob("*.yaml")}
    assert written == packaged
    assert {"prefect.yaml", "settings.yaml", "clusters/two-processes.yaml"} <= written
    mine, theirs = (read_project(folder / "prefect.yaml") for folder in (project, PACKAGED))
    assert (mine.name, theirs.name) == ("harvest", "tidemill")
    assert mine.deployments == theirs.deployments


def test_what_to_do_next_is_said_in_three_lines(tmp_path):
    said = write_project(tmp_path / "mine").splitlines()
    assert len(said) == 3
    assert "tidemill deploy" in said[1]
    assert "worker start" in said[2]


def test_a_second_project_in_the_folder_is_refused(project):
    before = {one: one.read_text() for one in project.rglob("*.yaml")}
    (project / "settings.yaml").unlink()
    with pytest.raises(ArgumentError, match=r"prefect\.yaml.* would be overwritten"):
        write_project(project)
    assert not (project / "settings.yaml").exists()
    assert all(one.read_text() == text for one, text in before.items() if one.exists())


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
            "'on-demand': key 'retries' is not allowed .*allowed: name,",
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
            "tags='nightly' is not allowed; allowed: a list of text",
        ),
        (lambda _, d: d.update(paused=1), "paused=1 is not allowed; allowed: true or false"),
        (lambda _, d: d.update(concurrency_limit=True), "concurrency_limit=True is not allowed"),
        (
            lambda _, d: d.update(concurrency_limit=0),
            "concurrency_limit: 0 .*allowed: a whole number",
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


@pytest.mark.parametrize("text", ["a: [", "name: x\nname: y", "- 1"])
def test_no_yaml_and_keys_that_stand_twice_are_refused(tmp_path, text):
    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    with pytest.raises(ArgumentError):
        read_project(file)


def test_environment_variables_are_filled_in(project, monkeypatch):
    monkeypatch.setenv("SINKS", "s3://sinks")
    file = changed(project, lambda _, d: d["parameters"].update(sink="{{ $SINKS }}/one"))
    (deployment,) = read_project(file).deployments
    assert deployment.fields["parameters"]["sink"] == "s3://sinks/one"


def steps(wanted: list[Schedule], found: list[Schedule], **fields):
    there = Found("f/d", "7", "mine", {"parameters": {"a": 1, "b": 2}, **fields}, tuple(found))
    new = Wanted("f/d", {"parameters": {"a": 1, "b": 2}}, tuple(wanted))
    return compare("mine", [new], [there])


@pytest.mark.parametrize(
    ("wanted", "found", "actions"),
    [
        ([CRON], [NIGHTLY], ["unchanged"]),
        ([CRON], [PAUSED], ["unchanged"]),
        ([], [NIGHTLY], ["remove"]),
        ([], [replace(NIGHTLY, slug=None)], []),  # made in Prefect's page
        ([CRON], [], ["create"]),
        ([RRULE], [PAUSED], ["change"]),
        ([replace(CRON, slug="night")], [NIGHTLY], ["change"]),
        ([CRON, RRULE], [NIGHTLY], ["unchanged", "create"]),
        ([replace(CRON, parameters={"a": 2})], [NIGHTLY], ["change"]),
        ([replace(CRON, slug="a")], [replace(RRULE, slug="a"), NIGHTLY], ["change", "remove"]),
    ],
)
def test_schedules_are_matched(wanted, found, actions):
    (step,) = steps(wanted, found)
    assert [one.action for one in step.schedules] == actions
    assert step.does_something == any(one != "unchanged" for one in actions)


def test_two_schedules_of_one_rule_are_told_apart_by_their_parameters():
    first, second = (replace(CRON, parameters={"a": number}) for number in (1, 2))
    there = [replace(one, slug=f"tidemill-{one.parameters['a']}") for one in (second, first)]
    (step,) = steps([first, second], there)
    assert step.action == "unchanged"


def test_the_start_that_prefect_gives_a_rule_is_no_difference():
    stored = replace(
        RRULE, rule={**RRULE.rule, "rrule": "DTSTART:20200101T000000\nFREQ=DAILY"}, slug="x"
    )
    (step,) = steps([RRULE], [stored])
    assert step.action == "unchanged"


def test_a_paused_schedule_is_mentioned_and_no_change():
    said = differences_text(steps([CRON], [PAUSED]), [], dry_run=False)
    assert "schedule cron 0 1 * * * timezone UTC is paused here, and stays so" in said
    assert said.endswith("Nothing changed: the server has what the file says.")


def test_the_text_names_field_old_and_new():
    new = Wanted("f/d", {"parameters": {"a": 3, "c": None}, "tags": []}, (CRON,))
    old = Found("f/d", "7", "mine", {"parameters": {"a": 1, "b": 2}, "tags": ["x"]}, ())
    gone = Found("f/gone", "8", "mine", {}, (NIGHTLY,))
    said = differences_text(compare("mine", [new], [old, gone]), ["pool"], dry_run=True)
    assert [line.strip() for line in said.splitlines()] == [
        "create     work pool pool (type process)",
        "change     f/d",
        "parameters.a: 1 -> 3",
        "parameters.c: nothing -> null",
        "parameters.b: 2 -> nothing",
        'tags: ["x"] -> []',
        "create schedule: cron 0 1 * * * timezone UTC",
        "change     f/gone",
        "remove schedule: cron 0 1 * * * timezone UTC",
        "it left the file; `prefect deployment delete f/gone` removes it",
        "Dry run, nothing was done. It would be: 0 created, 2 changed, 0 unchanged.",
    ]


@pytest.mark.parametrize("owner", [None, "another"])
def test_a_name_that_is_taken_is_refused(owner):
    taken = Found("f/d", "7", owner, {}, ())
    with pytest.raises(ArgumentError, match=r"f/d.*prefect deployment delete f/d"):
        compare("mine", [Wanted("f/d", {}, ())], [taken])
