"""Kernels run over the rows of arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.calculators.jit.kernel import Kernel
from tidemill.calculators.kernels import significance
from tidemill.selection.columns import ColumnBatch
from tidemill.selection.evidence import measure
from tidemill.selection.kernel_calls import KERNELS, run_kernel
from tidemill.selection.targets import read_target


def test_each_row_is_a_column():
    values = np.array([[1.0, 2.0, 2.0, 1.0], [5.0, 5.0, 5.0, 7.0]])
    out = np.empty((2, 2))
    run_kernel("high_counts", [values], (np.array([0, 1, 0, 1]),), out)
    assert out.tolist() == [[1, 1], [0, 1]]


def test_some_rows_can_be_taken():
    values = np.array([[9.0, 1.0, 2.0], [1.0, 2.0, 2.0]])
    out = np.empty((1, 1))
    run_kernel("high_counts", [values], (np.array([0, 0, 0]),), out, rows=(np.array([1]),))
    assert out.tolist() == [[2]]


TARGETS = {
    "two classes": lambda n: np.arange(n) % 2,
    "five classes": lambda n: np.arange(n) % 5,
    "numbers": lambda n: np.sqrt(np.arange(n, dtype=float)),
}


def select(n):
    """Test columns of all types, of n rows, against targets of all kinds in all ways."""
    rng = np.random.default_rng(n)
    values = rng.normal(size=(4, n))
    values[1], values[2] = values[1] > 0, 7
    values[3] = 1 + np.round(values[3] * 3) * 2.0**-52  # short keys are not enough
    batch = ColumnBatch(np.arange(4), np.ascontiguousarray(values))
    for make in TARGETS.values():
        y = pd.Series(make(n))
        for test in ("mann", "smir"):
            measure([batch], read_target(y, y.index), test=test, threads=2)


@pytest.fixture
def asked(monkeypatch):
    """The kernels that are asked for, with the types of their arrays."""
    seen = set()
    loop = Kernel.loop

    def look(self, inputs, parameters):
        seen.add((self.name, tuple(inputs), tuple(parameters)))
        return loop(self, inputs, parameters)

    monkeypatch.setattr(Kernel, "loop", look)
    return seen


def test_what_is_listed_for_the_warmup_is_what_selections_ask_for(asked):
    select(60)
    select(2**14 + 1)
    listed = {(job.path.replace(":", ".").partition(".")[2], *job[1:]) for job in KERNELS}
    assert asked == listed


def test_every_kernel_of_the_module_is_listed():
    kernels = {name for name, one in vars(significance).items() if isinstance(one, Kernel)}
    assert {job.path.partition(":")[2] for job in KERNELS} == kernels
