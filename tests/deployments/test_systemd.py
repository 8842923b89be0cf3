"""deployments/containers/systemd/: units that systemd accepts, commands that exist, few rights."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from prefect.settings import Settings
from prefect.settings.legacy import _get_settings_fields

from tidemill.orchestration.stack.children import _PATIENT

from ..support.compose import FOLDER
from ..support.programs import BIN
from ..support.words import check_words

UNITS = sorted((FOLDER / "systemd").iterdir())
INSTALLED = "/opt/tidemill/bin/"
MOST_EXPOSED = 2.5  # of 10, as `systemd-analyze security` counts

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


def lines(unit: Path) -> list[tuple[str, str]]:
    """Its settings, in order; some come more than once."""
    text = re.sub(r"\\\n\s*", "", unit.read_text(encoding="utf-8"))
    pairs = [line.partition("=") for line in text.splitlines() if re.match(r"\w", line)]
    return [(name, value) for name, _, value in pairs]


def settings(unit: Path) -> dict[str, str]:
    return dict(lines(unit))


def test_there_is_one_for_each_service():
    assert [unit.stem.removeprefix("tidemill-") for unit in UNITS] == [
        "dask-worker@", "scheduler", "server", "worker",
    ]  # fmt: skip


@each_unit
def test_the_command_exists(unit):
    words = shlex.split(settings(unit)["ExecStart"])
    assert words[0].startswith(INSTALLED)
    check_words([words[0].removeprefix(INSTALLED), *words[1:]])


@each_unit
def test_prefect_knows_the_variables(unit):
    known = {*_get_settings_fields(Settings), "DO_NOT_TRACK", "HOME", "TIDEMILL_CACHE_DIR"}
    named = [one for name, value in lines(unit) if name == "Environment" for one in value.split()]
    shown = re.findall(r"^#   ([A-Z_]+)=", unit.read_text(encoding="utf-8"), re.MULTILINE)
    used = {one.partition("=")[0] for one in named} | set(shown)
    assert {name for name in used if not name.startswith("AWS_")} <= known


@each_unit
def test_it_is_no_root_starts_again_and_listens_on_this_machine(unit):
    found = settings(unit)
    assert found["User"].startswith("tidemill")
    assert found["Restart"] == "always"
    assert not re.search(r"\b0\.0\.0\.0\b", found["ExecStart"])
    assert "MemoryDenyWriteExecute" not in found  # compiled kernels


def test_only_the_server_knows_the_database():
    """A user of its own: flows cannot read its environment either."""
    server = next(unit for unit in UNITS if "server" in unit.name)
    assert [unit for unit in UNITS if "DATABASE" in unit.read_text(encoding="utf-8")] == [server]
    users = {settings(unit)["User"] for unit in UNITS if unit != server}
    assert users == {"tidemill"}
    assert settings(server)["User"] == "tidemill-server"
    assert settings(server)["EnvironmentFile"].endswith("server.env")


def test_a_server_that_was_started_again_does_not_forget_crashes():
    """As with `tidemill up`."""
    server = next(unit for unit in UNITS if "server" in unit.name)
    given = [value for name, value in lines(server) if name == "Environment"]
    assert {f"{name}={value}" for name, value in _PATIENT.items()} <= set(given)


@pytest.fixture(scope="module")
def analyze() -> str:
    return shutil.which("systemd-analyze") or pytest.skip("systemd is not installed")


@each_unit
def test_systemd_accepts_it(unit, analyze, tmp_path):
    """With the programs where they are here: it looks for them."""
    here = tmp_path / unit.name
    here.write_text(unit.read_text(encoding="utf-8").replace(INSTALLED, f"{BIN}/"))
    done = subprocess.run(
        [analyze, "verify", here], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rated = subprocess.run(
        [analyze, "security", "--offline=true", here], capture_output=True, text=True, check=True
    )
    exposed = re.search(r"Overall exposure level for .*: ([\d.]+)", rated.stdout)
    assert exposed is not None
    assert float(exposed[1]) <= MOST_EXPOSED
