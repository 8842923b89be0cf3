"""The child process in which :mod:`tidemill.bridges.dask.isolate` calculates a dangerous frame."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd

from tidemill.bridges.dask.calculate import (
    Container,
    FrameCalculation,
    features_by_kind,
    read_container,
    register_customs,
)
from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.execution.isolated_child import die_with_parent, exit_with_parent
from tidemill.frames.arguments import calculator_warnings
from tidemill.frames.calculate import compile_kernels, log_failures
from tidemill.model.ids import id_name
from tidemill.sources.frames.containers import to_frame
from tidemill.sources.frames.ids import id_dtype

__all__ = ["calculate_by_id", "main"]


def calculate_by_id(
    container: Container, calculation: FrameCalculation, skipped: list[int], place: Path
) -> pd.DataFrame:
    """The matrix of a frame; before each id its position and name are written to ``place``.

    Ids at the positions ``skipped`` are not calculated: their rows are NaN.
    """
    register_customs(calculation.customs)
    batch = read_container(container, calculation)
    calculator = MatrixCalculator(features_by_kind(calculation), calculation.policies.on_error)
    compile_kernels(calculator, None)
    matrix = np.full((len(batch.ids), len(calculator.columns)), np.nan)
    with one_pool_thread(), calculator_warnings(show=calculation.show_warnings):
        for position in range(len(batch.ids)):
            if position in skipped:
                continue
            place.write_text(f"{position} {id_name(batch.ids[position])}", "utf-8")
            row = slice(position, position + 1)
            calculator.calculate(batch, row.start, row.stop, out=matrix[row])
    log_failures(calculator.errors.counts)
    dtype = id_dtype(container, calculation.column_id)
    return to_frame(batch.ids, calculator.columns, matrix, dtype=dtype)


def main() -> None:
    """Calculate what lies in the folder that is named, and leave the matrix or the error there."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    threading.Thread(target=exit_with_parent, daemon=True).start()
    folder = Path(sys.argv[1])
    asked = (folder / "asked").read_bytes()
    container, calculation, skipped = pickle.loads(asked)  # noqa: S301  our own parent's
    result: pd.DataFrame | Exception
    try:
        result = calculate_by_id(container, calculation, skipped, folder / "position")
    except Exception as error:  # noqa: BLE001  only a silent death is a sign of poison
        result = error
    (folder / "written").write_bytes(pickle.dumps(result))
    (folder / "written").rename(folder / "result")
    os._exit(0)  # whatever a calculator has left running


if __name__ == "__main__":
    main()
