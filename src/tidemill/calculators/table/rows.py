"""How the rows of the registry table are written."""

from __future__ import annotations

from typing import Any

from tidemill.calculators.table.spec import Calculator, Parameter

__all__ = ["AGGREGATES", "LAG", "TREND", "TREND_GRID", "R", "pick", "row", "steps"]

#: The choices of ``f_agg`` and of ``attr`` of the trends, in the order that kernels know.
AGGREGATES = ("mean", "var", "std", "median")
TREND = ("intercept", "pvalue", "rvalue", "slope", "stderr")
TREND_GRID = tuple({"attr": a} for a in ("pvalue", "rvalue", "intercept", "slope", "stderr"))
R = Parameter("r", "float")
LAG = Parameter("lag", "int", minimum=0)


def steps(name: str, values: Any) -> tuple[dict[str, Any], ...]:
    """A grid of one parameter."""
    return tuple({name: value} for value in values)


def row(name: str, summary: str, kernel: str, *needs: str, **fields: Any) -> Calculator:
    """A calculator with a kernel of its own name in the module ``kernels.<kernel>``."""
    return Calculator(
        name, summary, kernel=f"kernels.{kernel}:{name}", needs=needs or ("values",), **fields
    )


def pick(name: str, summary: str, need: str, element: int, **fields: Any) -> Calculator:
    """A calculator that is one element of an intermediate."""
    return Calculator(name, summary, needs=(need,), element=element, **fields)
