"""Kernels are loaded once for all features of a run."""

from __future__ import annotations

import pytest

from tidemill.execution import kernels
from tidemill.execution.kernels import announce_kernels, load_kernels
from tidemill.execution.plans import load_plan

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def run(tmp_path):
    with opened(make_input(tmp_path, n_ids=2), tmp_path / "matrix") as job:
        yield job.run


def test_the_second_time_nothing_is_compiled(run):
    load_kernels(run)
    assert load_kernels(run) == 0
    assert announce_kernels(run) == ""


def test_the_features_of_every_kind_are_warmed_up_and_what_was_compiled_is_counted(
    run, monkeypatch
):
    from tidemill.calculators.jit import kernel

    warmed = []
    monkeypatch.setattr(kernels, "warmup", warmed.append)
    monkeypatch.setattr(kernel, "compiled_here", lambda: 4 + 3 * len(warmed))
    assert load_kernels(run) == 3
    assert warmed == list(load_plan(run).features.values())
