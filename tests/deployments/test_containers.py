"""deployments/containers/: no engine runs here, so all that the files say is checked word by word.

tests/deployments/test_stack.py runs the services of the compose file as processes.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import Settings
from prefect.settings.legacy import _get_settings_fields

import tidemill
from tidemill.flows.backfill import backfill
from tidemill.flows.recurring import extract_interval
from tidemill.orchestration.deploy.project_file import read_project
from tidemill.orchestration.stack.children import _PATIENT

from ..support.compose import (
    COMPOSE,
    CONTAINERFILE,
    ENTRYPOINT,
    FOLDER,
    compose,
    image_environment,
    instructions,
)
from ..support.programs import BIN
from ..support.words import check_words

ROOT = FOLDER.parents[1]
FILE = compose()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = [name for name in SERVICES if name != "database"]
IMAGE = f"tidemill:{tidemill.__version__}"

#: Of the Compose specification, those that are used.
KEYS = {
    "cap_drop", "command", "depends_on", "deploy", "environment", "healthcheck", "image",
    "networks", "ports", "restart", "secrets", "security_opt", "stop_grace_period", "volumes",
}  # fmt: skip
CHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period"}

each_service = pytest.mark.parametrize("name", SERVICES)
each_of_ours = pytest.mark.parametrize("name", OURS)


# The compose file


def test_every_key_is_one_of_the_specification():
    top = {key for key in FILE if not key.startswith("x-")}
    assert top == {"name", "services", "networks", "volumes", "secrets"}
    for name, one in SERVICES.items():
        assert one.keys() <= KEYS, name
        assert one.get("healthcheck", {}).keys() <= CHECK_KEYS, name


def test_a_server_that_was_started_again_does_not_forget_crashes():
    """As with `tidemill up`."""
    assert SERVICES["server"]["environment"].items() >= _PATIENT.items()


def test_docker_compose_reads_it(tmp_path):
    """If it is there; version 1 of it does not know `name`."""
    if not (command := shutil.which("docker-compose")):
        pytest.skip("docker-compose is not installed")
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE.read_text().replace("\nname: tidemill\n", "\n"))
    (tmp_path / "secrets").mkdir()
    done = subprocess.run([command, "-f", file, "config"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@each_service
def test_images_are_pinned(name):
    repository, _, tag = SERVICES[name]["image"].rpartition(":")
    assert re.fullmatch(r"[a-z0-9./-]+", repository)
    assert re.fullmatch(r"\d[\w.]*", tag)
    assert name == "database" or SERVICES[name]["image"] == IMAGE


@each_of_ours
def test_the_commands_and_their_options_exist(name):
    check_words(SERVICES[name]["command"])


@each_of_ours
def test_prefect_knows_the_variables(name):
    known = {*_get_settings_fields(Settings), *image_environment()}
    for variable in SERVICES[name].get("environment", {}):
        assert variable.removesuffix("_FROM_FILE") in known, variable


@each_service
def test_ports_are_published_on_this_machine_only(name):
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_the_scheduler_itself_is_not_published():
    published = [port.split(":")[1] for one in SERVICES.values() for port in one.get("ports", [])]
    assert sorted(published) == ["4200", "8787"]


@each_service
def test_each_is_restarted_and_can_gain_no_rights(name):
    one = SERVICES[name]
    assert one["restart"] == ("on-failure" if name == "deploy" else "unless-stopped")
    assert "no-new-privileges:true" in one["security_opt"]
    assert name == "database" or one["cap_drop"] == ["ALL"]


def test_what_is_declared_is_used_and_what_is_used_is_declared():
    volumes = {
        volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])
    }
    assert {one for one in volumes if not one.startswith(".")} == FILE["volumes"].keys()
    assert all((FOLDER / one).is_dir() for one in volumes if one.startswith("."))
    for kind in ("networks", "secrets"):
        used = {thing for one in SERVICES.values() for thing in one.get(kind, [])}
        assert used == FILE[kind].keys()


@each_service
def test_secrets_are_files_that_the_service_has(name):
    one = SERVICES[name]
    files = [str(value) for key, value in one.get("environment", {}).items() if "_FILE" in key]
    assert sorted(files) == sorted(f"/run/secrets/{secret}" for secret in one.get("secrets", []))


def test_only_the_server_knows_the_database():
    trusted = [
        name for name, one in SERVICES.items() if "database_password" in one.get("secrets", [])
    ]
    assert trusted == ["database", "server"]
    told = [name for name in OURS if "DATABASE" in str(SERVICES[name].get("environment"))]
    assert told == ["server"]


@each_service
def test_it_waits_for_what_can_be_waited_for(name):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"] == "on-failure"
    assert ("healthcheck" in SERVICES[name]) == (name != "deploy")


def test_flows_and_dask_workers_see_the_same_paths():
    assert SERVICES["worker"]["volumes"] == SERVICES["dask-worker"]["volumes"]


def test_the_project_runs_on_its_scheduler():
    project = read_project(FOLDER / "project" / "prefect.yaml")
    assert [one.name for one in project.deployments] == ["daily", "backfill"]
    address = SERVICES["dask-worker"]["command"][2]
    span = {"start": "2026-11-01", "end": "2026-11-02"}
    for one, flow, more in zip(
        project.deployments, (extract_interval, backfill), ({}, span), strict=True
    ):
        assert one.parameters["cluster"] == address
        assert one.parameters["sink"].startswith("/data/")
        flow.validate_parameters({**one.parameters, **more})


# The image


def test_the_image_is_made_by_known_instructions():
    names = [name for name, _ in instructions()]
    assert set(names) <= {
        "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "WORKDIR"
    }  # fmt: skip
    assert IMAGE in CONTAINERFILE.read_text()


def copied() -> list[str]:
    """What is copied from the repository."""
    found = []
    for name, words in instructions():
        if name == "COPY" and "--from=" not in words:
            found += [one for one in words.split()[:-1] if not one.startswith("--")]
    return found


def test_what_is_copied_is_there():
    assert copied()
    assert [one for one in copied() if not (ROOT / one).exists()] == []


def test_the_user_is_not_root_and_owns_the_kernels():
    names = [name for name, _ in instructions()]
    users = [words for name, words in instructions() if name == "USER"]
    assert users == ["1001"]
    runs = [words for name, words in instructions() if name == "RUN"]
    assert f"--uid {users[0]}" in runs[-2]
    assert runs[-1] == "tidemill warmup"
    assert names.index("USER") < len(names) - 1 - names[::-1].index("RUN")


def test_its_commands_exist():
    words = dict(instructions())
    check_words(shlex.split([words for name, words in instructions() if name == "RUN"][-1]))
    assert "/opt/prefect/entrypoint.sh" in words["ENTRYPOINT"]
    assert any("entrypoint.sh /opt/prefect/entrypoint.sh" in words for _, words in instructions())
    assert os.access(ENTRYPOINT, os.X_OK)


def test_what_is_copied_can_be_installed(tmp_path):
    """By the command of the image, without the dependencies, which other tests install."""
    for one in copied():
        source = ROOT / one
        if source.is_dir():
            shutil.copytree(source, tmp_path / one, ignore=shutil.ignore_patterns("__pycache__"))
        elif "entrypoint" not in one:
            shutil.copy(source, tmp_path / one)
    (install,) = (words for name, words in instructions() if "pip install" in words)
    program, *words = shlex.split(install)
    assert program == "/opt/venv/bin/pip"
    target = tmp_path / "site"
    changed = ["--no-deps", "--no-build-isolation", "--quiet", f"--target={target}"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, *changed],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (target / "tidemill/deployments/containers/compose.yaml").is_file()
    assert (target / "tidemill/flows/extract.py").is_file()


PROCESSORS = """
import sys, llvmlite.binding as llvm
name, features = sys.argv[1:]
llvm.get_host_cpu_name = lambda: name
llvm.get_host_cpu_features = lambda: llvm.FeatureMap({features: True})
import threadpoolctl, scipy.linalg
from tidemill.calculators.warming import warm
from tidemill.storage.record import cpu_features
settings = {"mean": None, "linear_trend": [{"attr": "slope"}]}
print(warm(settings).compiled, "X86_V4" in cpu_features())
print(*sorted({one.get("architecture") for one in threadpoolctl.threadpool_info()} - {None}))
"""


def test_kernels_compiled_for_a_level_are_found_on_every_processor(tmp_path):
    """Whatever LLVM says of it; numpy and OpenBLAS keep to the level as well."""
    environment = {**os.environ, **image_environment(), "TIDEMILL_CACHE_DIR": str(tmp_path)}
    environment |= {"PATH": os.environ["PATH"]}

    def run(*processor: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", PROCESSORS, *processor],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    first, blas = run("znver4", "avx512f")
    compiled, newer = first.split()
    assert int(compiled) > 0
    assert newer == "False"
    assert blas == "Haswell"
    assert run("haswell", "avx2") == ["0 False", "Haswell"]


# The start of a container


def start(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [ENTRYPOINT, *words], env={"PATH": path, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_secrets_come_from_files(tmp_path):
    file = tmp_path / "auth string"
    file.write_text("admin:p'a$s w\"ord\n")
    done = start("env", A_FROM_FILE=str(file), SSL_CERT_FILE="/etc/ca.pem", B="plain")
    lines = done.stdout.splitlines()
    assert "A=admin:p'a$s w\"ord" in lines
    assert {"SSL_CERT_FILE=/etc/ca.pem", "B=plain"} <= set(lines)
    assert not any("_FROM_FILE" in line for line in lines)


def test_a_secret_that_cannot_be_read_is_named():
    done = start("env", A_FROM_FILE="/nowhere/a")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("A_FROM_FILE: /nowhere/a cannot be read by user ")


#: The C library believes that the processor cannot do it.
OLDER = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="levels are those of x86-64")
def test_a_processor_below_the_level_of_the_image_is_refused():
    level = image_environment()["NUMBA_CPU_NAME"]
    done = start("env", NUMBA_CPU_NAME=level, **OLDER)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"this image is for processors of level {level}, and that of {platform.node()} is older: "
        "run it on another machine, or build it with another PROCESSOR\n"
    )


@pytest.mark.parametrize("processor", ["x86-64-v2", "neoverse-n1", ""])
def test_a_processor_of_the_level_or_of_another_kind_is_not(processor):
    assert start("env", NUMBA_CPU_NAME=processor, **OLDER).returncode == 0


def test_the_status_is_that_of_the_command():
    assert start("sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("name", ["dask-scheduler", "dask-worker"])
def test_names_that_dask_has_given_up_are_known(name):
    done = start(name, "--help", HOME=os.environ.get("HOME", "/"))
    assert done.stdout.startswith(f"Usage: dask {name.removeprefix('dask-')} ")
