"""Calculators: the registry table, kernels, and programs that run them over blocks.

Importing this package does not import numba.
"""

from tidemill.calculators.program import Failure, Program, warmup
from tidemill.calculators.registry import CALCULATORS, PRESETS, calculator, find, preset, register
from tidemill.calculators.table.spec import Calculator, Parameter

__all__ = [
    "CALCULATORS",
    "PRESETS",
    "Calculator",
    "Failure",
    "Parameter",
    "Program",
    "calculator",
    "find",
    "preset",
    "register",
    "warmup",
]
