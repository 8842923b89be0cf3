"""Load the kernels that a run needs, or compile them once per host, before anything is timed."""

from __future__ import annotations

from tidemill.calculators.program import Program, warmup
from tidemill.calculators.warming import announce
from tidemill.execution.plans import load_plan
from tidemill.storage.run_address import Run

__all__ = ["announce_kernels", "load_kernels"]


def load_kernels(run: Run) -> int:
    """Load the kernels that a run needs, or compile them once per host.

    Returns
    -------
    int
        The number of kernels compiled in this process.
    """
    from tidemill.calculators.jit.kernel import compiled_here

    before = compiled_here()
    for features in load_plan(run).features.values():
        warmup(features)
    return compiled_here() - before


def announce_kernels(run: Run) -> str:
    """Announce that this process is about to compile kernels for a run; "" if it is not."""
    return announce(Program(features) for features in load_plan(run).features.values())
