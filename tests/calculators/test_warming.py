"""Kernels compiled ahead of time, and what the first use says."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tidemill
from tidemill import calculators
from tidemill.calculators import Program, preset, warming
from tidemill.calculators.recipe import Recipe, compile_jobs
from tidemill.calculators.settings import Settings
from tidemill.calculators.table.build import ROWS
from tidemill.calculators.warming import waiting_text
from tidemill.errors import SettingsError
from tidemill.frames import extract_features as extraction
from tidemill.model.progress import subscribe
from tidemill.selection.kernel_calls import KERNELS

FRAME = pd.DataFrame({"id": [1, 1, 2, 2], "x": [1.0, 3.0, 5.0, 5.0]})


def run(cache, *arguments):
    """The command in a process of its own; its output, and then its errors."""
    return ran(cache, "from tidemill.cli.main import main; main()", *arguments)


def ran(cache, code, *arguments):
    environment = {**os.environ, "TIDEMILL_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def jobs(features):
    return set(compile_jobs(Recipe.of(features)))


@pytest.mark.slow
def test_the_command_compiles_what_runs_need(tmp_path):
    cache, source = tmp_path / "cache", tmp_path / "input.parquet"
    FRAME.to_parquet(source)
    settings = tmp_path / "settings.yaml"
    Settings.from_any({"mean": None, "median": None, "maximum": None}).to_yaml(settings)
    options = ("extract", source, tmp_path / "out", "--column-id=id", "--cluster=none")

    said, _ = run(cache, "warmup", f"--settings={settings}")
    n = len(jobs(Settings.from_any(settings).default))
    assert re.match(rf"Compiled {{8}}{n} kernels in .*\nFolder {{10}}{cache}/\w+\n$", said)
    assert run(cache, "warmup", f"--settings={settings}")[0].startswith("Compiled        0 kernels")

    _, said = run(cache, *options, f"--settings={settings}")
    assert "Compiling" not in said
    _, said = run(tmp_path / "empty", *options, f"--settings={settings}")
    assert waiting_text(n) in said


SELECT = """
import sys
import numpy as np
import pandas as pd
from tidemill.calculators.jit.kernel import compiled_here
from tidemill.selection import calculate_relevance_table

for n in (60, 2**14 + 1):
    x = np.random.default_rng(1).normal(size=n)
    X = pd.DataFrame({"real": x, "binary": x > 0.5, "tied": 1 + np.round(x * 3) * 2.0**-52})
    for y in (np.arange(n) % 2, np.arange(n) % 5, np.sqrt(np.arange(n))):
        for test in ("mann", "smir"):
            calculate_relevance_table(
                X, pd.Series(y), test_for_binary_target_real_feature=test, n_jobs=2
            )
print(compiled_here())
"""


@pytest.mark.slow
def test_after_a_warmup_a_selection_compiles_nothing(tmp_path):
    """Of binary, real and tied features, against two classes, five, and numbers; short and long."""
    settings, cache = tmp_path / "settings.yaml", tmp_path / "cache"
    Settings.from_any({"mean": None}).to_yaml(settings)
    n = len(jobs(Settings.from_any(settings).default)) + len(KERNELS)
    said, _ = run(cache, "warmup", f"--settings={settings}", "--selection")
    assert re.match(rf"Compiled {{8}}{n} kernels in ", said)
    files = sorted(cache.rglob("*.nb*"))
    assert ran(cache, SELECT)[0] == "0\n"
    assert sorted(cache.rglob("*.nb*")) == files


@pytest.mark.parametrize(
    ("words", "selection"),
    [
        ((), True),
        (("--no-selection",), False),
        (("--settings=minimal",), False),
        (("--settings=minimal", "--selection"), True),
    ],
)
def test_the_command_knows_when_kernels_of_selections_are_wanted(
    monkeypatch, command, words, selection
):
    monkeypatch.setattr(Program, "warmup", lambda _: None)
    asked = []
    monkeypatch.setattr(warming, "to_compile", lambda _, more: asked.append(tuple(more)) or 0)
    assert command("warmup", *words)[0] == 0
    assert asked == [KERNELS if selection else ()]


def test_all_presets_are_the_default(monkeypatch):
    warmed = []
    monkeypatch.setattr(warming, "to_compile", lambda *_: 0)
    monkeypatch.setattr(Program, "warmup", lambda self: warmed.append(self.columns))
    warming.warm()
    assert [len(columns) for columns in warmed] == [
        len(preset(name, times=True)) for name in ("minimal", "efficient", "comprehensive")
    ]


def test_settings_of_all_kinds_are_compiled(monkeypatch):
    warmed = []
    monkeypatch.setattr(warming, "to_compile", lambda *_: 0)
    monkeypatch.setattr(Program, "warmup", lambda self: warmed.append(self.columns))
    warming.warm(Settings.from_any({"mean": None}, {"a": {"median": None}}))
    assert warmed == [("mean",), ("median",)]


def test_wrong_settings_are_refused(command):
    code, said = command("warmup", "--settings=maximal")
    assert (code, "neither a preset" in said) == (1, True)
    with pytest.raises(SettingsError):
        warming.warm("maximal")


def test_every_kernel_of_the_table_is_listed():
    """What is listed is what is loaded: path, inputs and parameters have to be the same."""
    listed = jobs([(row.name, row.grid[0]) for row in ROWS])
    assert {path for path, _, _ in listed} >= {row.kernel for row in ROWS if row.kernel}


def test_what_was_used_need_not_be_compiled():
    tidemill.extract_features(FRAME, "minimal", column_id="id", n_jobs=1)
    seen = []
    with subscribe(seen.append):
        assert not warming.announce([Program(preset("minimal"))])
    assert seen == []


def test_a_frame_says_that_kernels_are_compiled(monkeypatch, caplog):
    compiled = []
    monkeypatch.setattr(warming, "to_compile", lambda programs: len(list(programs)))
    monkeypatch.setattr(Program, "warmup", lambda self: compiled.append(self.columns))
    with caplog.at_level(logging.INFO, "tidemill"):
        extraction.extract_features(FRAME, {"mean": None}, column_id="id")
    assert waiting_text(1) in caplog.text
    assert compiled == [("mean",)]


def test_the_public_function_is_not_hidden_by_a_module_of_its_name():
    names = set(calculators.__all__)
    modules = {path.stem for path in Path(calculators.__file__).parent.iterdir()}
    assert not names & modules
