"""Run the kernels of significance over the rows of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.calculators.jit.kernel import load_kernel
from tidemill.calculators.jit.parallel_compile import CompileJob
from tidemill.model.aliases import Floats, Index

__all__ = ["KERNELS", "run_kernel"]

_HOME = "kernels.significance"


def _job(name: str, inputs: str, parameters: str = "") -> CompileJob:
    return CompileJob(f"{_HOME}:{name}", tuple(inputs.split()), tuple(parameters.split()))


#: Every kernel of a selection with the element types of its arrays; keys are short or long.
KERNELS = (
    _job("distinct", "float64 float64"),
    _job("short_keys", "float64 float64", "int32"),
    _job("long_keys", "float64", "int32"),
    *(
        _job(name, f"{keys} float64", parameters)
        for keys in ("uint32", "uint64")
        for name, parameters in (
            ("class_ranks", "int32 int32"),
            ("class_gaps", "int32 int32 int64"),
            ("concordance", "int32 int32"),
        )
    ),
    _job("high_counts", "float64", "int32"),
    _job("high_gap", "float64", "int32 int32"),
    _job("leaving_paths", "int64"),
)

_name = cache(str)  # of a dtype, which numpy puts together each time


def run_kernel(
    name: str,
    inputs: Sequence[npt.NDArray[Any]],
    parameters: tuple[npt.NDArray[Any], ...],
    out: Floats,
    *,
    rows: Sequence[Index | None] = (),
) -> None:
    """Run a kernel of ``calculators.kernels.significance`` for each row.

    Parameters
    ----------
    name : of the kernel
    inputs : arrays[., width], C-contiguous: a row is what the kernel takes at a time
    parameters : arrays that it takes for all rows
    out : float64[b, width], its results
    rows : for each input the rows that are taken, int64[b], or None for all, which is the default

    Examples
    --------
    >>> out = np.empty((1, 2))
    >>> run_kernel("high_counts", [np.array([[3.0, 4.0, 4.0]])], (np.array([0, 1, 1]),), out)
    >>> out
    array([[0., 2.]])
    """
    kernel = load_kernel(f"{_HOME}:{name}")
    loop = kernel.loop(
        [_name(one.dtype) for one in inputs], [_name(one.dtype) for one in parameters]
    )
    arrays: list[npt.NDArray[Any]] = []
    for one, taken in zip(inputs, rows or [None] * len(inputs), strict=True):
        starts = (np.arange(len(out)) if taken is None else taken) * one.shape[1]
        arrays += [one.reshape(-1), starts, starts + one.shape[1]]
    lengths = np.full(len(out), inputs[0].shape[1], dtype=np.int64)
    loop(lengths, 0, *arrays, parameters, out, 0, out.shape[1])
