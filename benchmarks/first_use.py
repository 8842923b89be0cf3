"""What the first and every later start cost: compiling, loading, and importing, beyond libraries.

python benchmarks/first_use.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from common import machine, table

#: What every start pays anyway.
LIBRARIES = "import numba, numpy, pandas, pyarrow, scipy.fft, scipy.signal, time"
CODE = """
{libraries}
before = time.perf_counter()
from tidemill.calculators import warmup
from tidemill.calculators.registry import preset
warmup(preset({preset!r}))
print(time.perf_counter() - before)
"""


def seconds_of(preset: str, folder: str) -> float:
    """Seconds from the imported libraries to kernels that are ready, in a new process."""
    code = CODE.format(libraries=LIBRARIES, preset=preset)
    environment = {**os.environ, "TIDEMILL_CACHE_DIR": folder}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return float(found.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", nargs="+", default=["minimal", "efficient", "comprehensive"])
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    rows = []
    for preset in options.settings:
        with tempfile.TemporaryDirectory() as folder:
            first = seconds_of(preset, folder)
            later = min(seconds_of(preset, folder) for _ in range(options.starts))
        rows.append([preset, f"{first:.1f}", f"{later:.2f}"])
    print(table(["preset", "first start s", "later starts s"], rows))


if __name__ == "__main__":
    main()
