"""deployments/: Prefect ignores unknown keys in silence, so every key and value is checked here."""

import inspect
import re
from datetime import UTC, date, datetime, timedelta
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect_dask import DaskTaskRunner
from pydantic import BaseModel

from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError
from tidemill.orchestration.cluster import parse_cluster
from tidemill.orchestration.deploy.project_file import read_project
from tidemill.planning.check_limits import CHECK_LIMITS
from tidemill.planning.prepare import validate_request
from tidemill.planning.request import make_request
from tidemill.storage.read_matrix import read_matrix

models = pytest.importorskip(
    "prefect.cli.deploy._models", reason="older Prefect has no model of prefect.yaml"
)

FOLDER = Path(__file__).parents[2] / "deployments"
PROJECT = yaml.safe_load((FOLDER / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS = {one["name"]: one for one in PROJECT["deployments"]}
CLUSTER_FILES = sorted((FOLDER / "clusters").iterdir())
#: Keys that Prefect documents for anchors; its model does not have them.
ANCHORS = {"definitions"}
#: Parameters of `extract` that are not the request's.
OF_THE_RUN = {"cluster", "wait_for_sink"}

PAGE = (FOLDER.parent / "docs/deployments.md").read_text(encoding="utf-8")

each_deployment = pytest.mark.parametrize("name", DEPLOYMENTS)
each_cluster_file = pytest.mark.parametrize("path", CLUSTER_FILES, ids=lambda path: path.name)


def unknown_keys(raw: dict[str, Any], model: type[BaseModel], at: str = "") -> list[str]:
    known = {field.alias or name for name, field in model.model_fields.items()}
    return [f"{at}{key}" for key in raw if key not in known]


def unknown_in_project(project: dict[str, Any]) -> list[str]:
    top = {key: value for key, value in project.items() if key not in ANCHORS}
    found = unknown_keys(top, models.PrefectYamlModel)
    for one in project["deployments"]:
        at = f"{one['name']}."
        found += unknown_keys(one, models.DeploymentConfig, at)
        found += unknown_keys(one["work_pool"], models.WorkPoolConfig, f"{at}work_pool.")
        limit = one["concurrency_limit"]
        found += unknown_keys(limit, models.ConcurrencyLimitSpec, f"{at}concurrency_limit.")
        for schedule in one["schedules"]:
            found += unknown_keys(schedule, models.RawScheduleConfig, f"{at}schedules.")
    return found


def flow_of(deployment: dict[str, Any]) -> Flow:
    return load_flow_from_entrypoint(deployment["entrypoint"])


def test_prefect_knows_every_key():
    assert unknown_in_project(PROJECT) == []


def test_prefect_accepts_every_value():
    models.PrefectYamlModel.model_validate(PROJECT)


@pytest.mark.parametrize("key", ["retries", "schedul", "concurrency"])
def test_a_key_that_prefect_would_ignore_is_found(key):
    changed = {**PROJECT["deployments"][0], key: 3}
    assert unknown_in_project({"deployments": [changed]}) == [f"daily.{key}"]


def test_tidemill_deploy_accepts_the_file():
    project = read_project(FOLDER / "prefect.yaml")
    assert [one.name for one in project.deployments] == list(DEPLOYMENTS)


def test_the_settings_of_a_new_project_can_be_used():
    settings = Settings.from_any(str(FOLDER / "settings.yaml"))
    assert len(settings.columns(["x"])) == 11


def test_names_are_unique_and_those_of_the_documentation():
    assert [one["name"] for one in PROJECT["deployments"]] == [
        "daily",
        "hourly",
        "on-demand",
        "backfill",
        "retention",
    ]


@each_deployment
def test_the_entrypoint_is_a_flow_of_the_installed_package(name):
    entrypoint = DEPLOYMENTS[name]["entrypoint"]
    module, _, attribute = entrypoint.rpartition(".")
    assert module.startswith("tidemill.flows.")
    assert isinstance(getattr(import_module(module), attribute), Flow)
    assert f"{flow_of(DEPLOYMENTS[name]).name}/{name}" in PAGE


@each_deployment
def test_every_parameter_fits_the_flow(name):
    flow = flow_of(DEPLOYMENTS[name])
    parameters = DEPLOYMENTS[name]["parameters"]
    span = {"start": "2026-11-01", "end": "2026-11-02"} if name == "backfill" else {}
    inspect.signature(flow.fn).bind(**parameters, **span)
    flow.validate_parameters({**parameters, **span})


@pytest.fixture
def run(tmp_path, monkeypatch, prefect_server):
    """Return a function that runs a deployment's flow with its parameters and some changes."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(name: str, **changes: Any) -> dict[str, Any]:
        given = DEPLOYMENTS[name]["parameters"] | {"cluster": "none", "settings": "minimal"}
        return flow_of(DEPLOYMENTS[name])(**given | changes)

    return run


def test_the_first_night_publishes_yesterday_and_the_next_finds_nothing_to_do(run, tmp_path):
    today = datetime.now(UTC).date()
    first = run("daily", lag="0s")  # at any time of day
    yesterday = date.fromisoformat(first["label"])
    assert yesterday in {today - timedelta(1), today}  # midnight may have passed
    assert [one["state"] for one in first["findings"]] == ["missing"] * 4
    assert first["holes"]["count"] == 0
    assert first["bad_files"] == []
    assert [one["acceptance"]["checks"] for one in first["summaries"]] == [[]] * 4
    matrix = read_matrix(tmp_path / "tidemill/buoys_daily")
    assert matrix.shape == (4 * 6, 10)
    again = run("daily", lag="0s")
    assert [one["state"] for one in again["findings"]] == ["unchanged"] * 4
    week = {"start": str(yesterday - timedelta(6)), "end": str(yesterday)}
    filled = run("backfill", lag="0s", **week)  # the two share a table
    assert [row["result"] for row in filled["intervals"]] == ["published"] * 3 + ["skipped"] * 3


def test_the_hourly_table_is_up_to_the_hour(run, tmp_path):
    report = run("hourly")
    assert [one["state"] for one in report["findings"]] == ["missing"] * 3
    assert report["holes"]["count"] == 0
    assert (read_matrix(tmp_path / "tidemill/buoys_hourly")["temperature__length"] == 48).all()


def test_the_engine_accepts_the_parameters(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    parameters = DEPLOYMENTS["on-demand"]["parameters"]
    parse_cluster(parameters["cluster"])
    chosen = {key: value for key, value in parameters.items() if key not in OF_THE_RUN}
    request = make_request(chosen.pop("source"), chosen.pop("sink"), **chosen)
    assert request.sink == str(tmp_path / "tidemill/feature_matrix")
    validate_request(request)


def test_a_table_says_all_that_its_owner_has_to_decide():
    given = DEPLOYMENTS["daily"]["parameters"]
    assert {"every", "timezone", "input_timezone", "lag", "lookback", "checks"} <= set(given)
    defaults = {name: check.defaults for name, check in CHECK_LIMITS.items()}
    assert given["checks"] == {name: defaults[name] for name in given["checks"]}


@pytest.mark.parametrize("name", [name for name in DEPLOYMENTS if name != "retention"])
def test_one_bad_series_or_calculator_does_not_end_a_deployed_run(name):
    parameters = DEPLOYMENTS[name]["parameters"]
    assert parameters["on_error"] == "nan"
    assert parameters["on_nan"] == "quarantine"
    assert parameters["on_bad_file"] == "quarantine"


@each_deployment
def test_work_pool_is_that_of_the_documentation(name):
    assert DEPLOYMENTS[name]["work_pool"]["name"] == "tidemill"
    assert re.search(r"^prefect worker start --pool tidemill$", PAGE, re.MULTILINE)


def test_the_pull_step_exists():
    (step,) = PROJECT["pull"]
    ((name, arguments),) = step.items()
    module, _, attribute = name.rpartition(".")
    inspect.signature(getattr(import_module(module), attribute)).bind(**arguments)


def keywords_of(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


@each_cluster_file
def test_a_cluster_file_holds_keywords_of_the_task_runner(path):
    spec = parse_cluster(path)
    assert spec.kind == "file"
    assert set(spec.keywords) <= keywords_of(DaskTaskRunner.__init__)


def test_all_keywords_of_the_task_runner_are_allowed_but_the_one_it_drops(tmp_path):
    """``cluster=`` takes an object, which no file can hold, and DaskTaskRunner forgets it."""
    path = tmp_path / "unknown.yaml"
    path.write_text("unknown: 1")
    with pytest.raises(ArgumentError) as error:
        parse_cluster(path)
    (allowed,) = re.findall(r"allowed: (.*)$", str(error.value))
    assert set(allowed.split(", ")) == keywords_of(DaskTaskRunner.__init__) - {"cluster"}


@each_cluster_file
def test_a_local_cluster_listens_on_this_machine_only(path):
    keywords = parse_cluster(path).keywords
    if keywords["cluster_class"] == "distributed.LocalCluster":
        assert keywords["cluster_kwargs"]["host"] == "127.0.0.1"
        assert keywords["cluster_kwargs"]["dashboard_address"].startswith("127.0.0.1:")


@each_cluster_file
def test_a_local_cluster_takes_its_keywords(path):
    keywords = parse_cluster(path).keywords
    module, _, name = keywords["cluster_class"].rpartition(".")
    if module.startswith("dask_kubernetes"):
        pytest.skip("dask-kubernetes is not among the dependencies")
    cluster_class = getattr(import_module(module), name)
    assert set(keywords["cluster_kwargs"]) <= keywords_of(cluster_class.__init__)


def test_the_files_come_with_the_package():
    installed = resources.files("tidemill.deployments")
    assert installed.joinpath("prefect.yaml").is_file()
    for path in CLUSTER_FILES:
        assert installed.joinpath("clusters", path.name).is_file()
