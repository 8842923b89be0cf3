"""A stored matrix of all calculators: a value that changes has to raise ``RESULTS_VERSION``.

Finished parts of an earlier version are taken over only where that number is the same, so a
matrix would be mixed from old and new values if it were not raised.

``TIDEMILL_STORE_GOLDEN=1 pytest tests/model/test_golden_matrix.py`` stores the matrix anew.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidemill
from tidemill.calculators.registry import preset
from tidemill.model.digests import content_digest, row_sum
from tidemill.model.plan import RESULTS_VERSION
from tidemill.storage.record import cpu_features

from ..support.series import ROLES, extract, write

PATH = Path(__file__).with_name("golden") / "matrix.json"
STORE = "run `TIDEMILL_STORE_GOLDEN=1 pytest tests/model/test_golden_matrix.py` and commit the file"


def golden_input() -> pd.DataFrame:
    """Three series from whole numbers, so that every machine has the same bits."""
    steps = np.arange(210)  # long enough for a hundred Fourier coefficients
    smooth = (steps * 37) % 64 + (steps * steps * 11) % 23  # waves with many ties
    rough = (steps**3 * 7919 + steps * 104_729) % 10_007  # close to noise
    series = {1: smooth / 8, 2: (rough[:80] - 5000) / 1024, 3: rough[:23] / 4096}
    frames = [
        pd.DataFrame(
            {
                "id": number,
                "time": pd.Timestamp("2026-03-01")
                + pd.to_timedelta(steps[: len(values)] ** 2, "min"),
                "x": values,
            }
        )
        for number, values in series.items()
    ]
    return pd.concat(frames)


def settings() -> dict[str, list[Any]]:
    """Every calculator with tsfresh's parameters, in the canonical form."""
    return {"*": [[name, params] for name, params in preset("comprehensive", times=True)]}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("golden")
    extract(write(golden_input(), folder / "a.parquet"), folder / "matrix", settings(), **ROLES)
    found = tidemill.read_matrix(folder / "matrix")
    if os.environ.get("TIDEMILL_STORE_GOLDEN"):
        store(found)
    return found


@pytest.fixture(scope="module")
def golden(matrix) -> dict[str, Any]:
    return json.loads(PATH.read_text())


def store(matrix: pd.DataFrame) -> None:
    """One line per column; ``repr`` of a float keeps all its bits."""
    columns = {name: matrix[name].tolist() for name in matrix}
    facts = {
        "results_version": RESULTS_VERSION,
        "environment": environment(),
        "digest": digest(matrix),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in facts.items()]
    cells = [f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in columns.items()]
    lines.append('"columns": {\n' + ",\n".join(cells) + "\n}")
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def environment() -> dict[str, Any]:
    """What equal bits depend on."""
    packages = {name: version(name) for name in ("numpy", "scipy", "numba", "llvmlite")}
    return {"cpu_features": list(cpu_features()), "packages": packages}


def digest(matrix: pd.DataFrame) -> str:
    """The content digest, as a run's summary has it."""
    columns = list(matrix.columns)
    rows = row_sum(pa.array(matrix.index), matrix.to_numpy(), columns)
    return content_digest([rows], columns, "int64")


def test_every_value_is_as_stored(matrix, golden):
    stored = {name: np.array(values) for name, values in golden["columns"].items()}
    gone = [name for name in stored if name not in matrix]
    changed = [
        name
        for name, values in stored.items()
        if name in matrix
        and not np.allclose(matrix[name], values, rtol=1e-9, atol=1e-12, equal_nan=True)
    ]
    if not gone and not changed:
        return
    shown = [f"{name}: {stored[name].tolist()} -> {matrix[name].tolist()}" for name in changed[:10]]
    what = "\n".join([f"{len(changed)} columns changed, {len(gone)} are gone {gone[:10]}", *shown])
    if golden["results_version"] == RESULTS_VERSION:
        pytest.fail(f"{what}\nraise RESULTS_VERSION in tidemill/plan.py, then {STORE}")
    pytest.fail(f"{what}\nRESULTS_VERSION was raised: {STORE}")


def test_every_column_is_stored(matrix, golden):
    new = [name for name in matrix if name not in golden["columns"]]
    assert not new, f"{len(new)} columns are not stored yet ({new[:5]} ...): {STORE}"
    assert list(golden["columns"]) == list(matrix.columns), f"in another order: {STORE}"


def test_the_stored_version_is_the_current_one(golden):
    assert golden["results_version"] == RESULTS_VERSION, STORE


def test_every_bit_is_as_stored_on_such_a_machine(matrix, golden):
    """Bits may differ between processors and versions of numpy; values may not, see above."""
    if golden["environment"] != json.loads(json.dumps(environment())):
        pytest.skip("stored with other packages or on another kind of processor")
    stored = matrix[[name for name in golden["columns"] if name in matrix]]
    assert digest(stored) == golden["digest"], (
        "bits of values changed: raise RESULTS_VERSION in tidemill/plan.py unless it was raised "
        f"already, then {STORE}"
    )


def test_the_summary_has_this_digest(matrix, tmp_path):
    path = write(golden_input(), tmp_path / "a.parquet")
    summary = extract(path, tmp_path / "matrix", settings(), **ROLES)
    assert summary.digest == digest(matrix)
