"""deployments/containers/kubernetes/: values that the Helm charts of Prefect and Dask know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from prefect.settings import Settings
from prefect.settings.legacy import _get_settings_fields

import tidemill
from tidemill.orchestration.stack.children import _PATIENT

from ..support.compose import FOLDER, instructions
from ..support.words import check_words

CONSTRAINTS = (FOLDER.parents[1] / "constraints.txt").read_text(encoding="utf-8")

#: Names of the charts' values that may be set, from their values.yaml (prefect-server and
#: prefect-worker 2025, dask 2024); below those that end in `*` is what Kubernetes has there.
IMAGE = {"repository", "prefectTag", "pullPolicy", "pullSecrets"}
RESOURCES = {"resources.requests.*", "resources.limits.*"}
PROBE = {"livenessProbe.enabled", "livenessProbe.config.*"}
CHARTS = {
    "prefect-server": {
        *(f"global.prefect.image.{name}" for name in IMAGE), "global.prefect.env.*",
        "server.basicAuth.enabled", "server.basicAuth.existingSecret",
        "server.uiConfig.prefectUiApiUrl", "server.env.*", "server.livenessProbe.enabled",
        "server.readinessProbe.enabled", *(f"server.{name}" for name in RESOURCES),
        "secret.create", "secret.name", "postgresql.enabled", "sqlite.enabled",
    },
    "prefect-worker": {
        *(f"worker.image.{name}" for name in IMAGE), "worker.apiConfig",
        "worker.selfHostedServerApiConfig.apiUrl",
        "worker.selfHostedServerApiConfig.basicAuth.enabled",
        "worker.selfHostedServerApiConfig.basicAuth.existingSecret",
        *(f"worker.config.{name}" for name in ("workPool", "type", "http2", "limit")),
        *(f"worker.{name}" for name in RESOURCES | PROBE),
        "worker.extraEnvVarsSecret", "worker.extraEnvVars.*", "worker.extraVolumes.*",
        "worker.extraVolumeMounts.*", "worker.replicaCount", "role.create", "rolebinding.create",
    },
    "dask": {
        *(
            f"{part}.{name}"
            for part in ("scheduler", "worker")
            for name in (
                "image.repository", "image.tag", "image.pullPolicy", "replicas", "extraArgs.*",
                "securityContext.*", "livenessProbe.*", *RESOURCES,
            )
        ),
        "scheduler.serviceType", "scheduler.servicePort",
        "worker.image.dask_worker", "worker.threads_per_worker", "worker.env.*",
        "worker.mounts.volumes.*", "worker.mounts.volumeMounts.*", "worker.portDashboard",
        "webUI.ingress.enabled", "jupyter.enabled", "jupyter.rbac",
    },
}  # fmt: skip

each_chart = pytest.mark.parametrize("chart", CHARTS)


def values(chart: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "kubernetes" / f"{chart}.yaml").read_text(encoding="utf-8"))


def paths(found: Any, at: str = "") -> Iterator[str]:
    """The names of all values, with dots."""
    if isinstance(found, Mapping):
        for name, value in found.items():
            yield from paths(value, f"{at}.{name}" if at else name)
    else:
        yield at


def is_known(path: str, known: set[str]) -> bool:
    return path in known or any(
        one.endswith(".*") and f"{path}.".startswith(one[:-1]) for one in known
    )


def test_there_are_values_for_each_chart():
    assert {path.stem for path in (FOLDER / "kubernetes").iterdir()} == CHARTS.keys()


@each_chart
def test_the_chart_knows_the_values(chart):
    assert [path for path in paths(values(chart)) if not is_known(path, CHARTS[chart])] == []


def test_a_value_that_a_chart_would_ignore_is_found():
    assert not is_known("worker.serverApiConfig.apiUrl", CHARTS["prefect-worker"])
    assert is_known("worker.resources.limits.cpu", CHARTS["prefect-worker"])


def test_all_are_of_one_version():
    pinned = re.search(r"^prefect==(.*)$", CONSTRAINTS, re.MULTILINE)
    assert pinned is not None
    server = values("prefect-server")["global"]["prefect"]["image"]
    assert server["prefectTag"] == f"{pinned[1]}-python3.13"
    ours = [values("prefect-worker")["worker"]["image"]["prefectTag"]]
    ours += [values("dask")[part]["image"]["tag"] for part in ("scheduler", "worker")]
    assert set(ours) == {tidemill.__version__}


def test_prefect_knows_the_variables():
    variables = values("dask")["worker"]["env"] + values("prefect-server")["server"]["env"]
    named = {one["name"] for one in variables if not one["name"].startswith("AWS_")}
    assert named <= {*_get_settings_fields(Settings)}


def test_a_server_that_was_started_again_does_not_forget_crashes():
    """As with `tidemill up`."""
    given = {one["name"]: one["value"] for one in values("prefect-server")["server"]["env"]}
    assert given.items() >= _PATIENT.items()


def test_only_the_server_knows_the_database():
    assert [chart for chart in CHARTS if "database" in str(values(chart))] == ["prefect-server"]


def test_what_the_charts_call_is_in_the_image():
    """Prefect's runs tini and the entrypoint by their paths and as user 1001."""
    text = " ".join(words for _, words in instructions())
    for name in ("/usr/bin/tini", "/opt/prefect/entrypoint.sh", "--uid 1001"):
        assert name in text
    worker = values("dask")["worker"]
    assert worker["securityContext"]["runAsUser"] == 1001
    assert worker["image"]["dask_worker"] in (FOLDER / "entrypoint.sh").read_text()
    check_words(["dask", "worker", "dask-scheduler:8786", *worker["extraArgs"]])
    check_words(
        ["prefect", "worker", "start", "--type", "process", "--pool", "tidemill",
         "--install-policy", "prompt", "--with-healthcheck"]
    )  # fmt: skip


def test_flows_and_dask_workers_see_the_same_paths():
    dask, worker = values("dask")["worker"]["mounts"], values("prefect-worker")["worker"]
    assert dask["volumes"] == worker["extraVolumes"]
    assert dask["volumeMounts"] == worker["extraVolumeMounts"]
