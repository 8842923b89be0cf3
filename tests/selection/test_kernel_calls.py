"""Kernels run over the rows of arrays."""

from __future__ import annotations

import numpy as np

from tidemill.selection.kernel_calls import run_kernel


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
