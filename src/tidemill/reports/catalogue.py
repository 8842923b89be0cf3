"""The catalogue of calculators: as a table, as JSON, and as a page of the documentation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tidemill.calculators.registry import CALCULATORS
from tidemill.calculators.table.build import LEFT_OUT, ROWS
from tidemill.calculators.table.catalogue import Description, descriptions
from tidemill.calculators.table.spec import Calculator, Parameter

__all__ = ["catalogue", "catalogue_page", "catalogue_text"]

PAGE = """\
# Features

<!-- Made by `tidemill features --markdown` from the table of calculators: do not edit. -->

A feature is a calculator with parameters, applied to the series of one kind:
`kind__calculator__param_value`. These {count} calculators are tsfresh's, with its names, values and
order; {left_out} is left out. `tidemill features` lists them in short, and your own with them.

x[0] to x[n-1] are the n values of a series, in the order of the sort column. Mean, variance and
standard deviation are those of the calculators of these names (divisor n). "Values' unit" is the
unit of the input, "share" a number from 0 to 1, and "1" a number without unit. Steps are from value
to value: apart from `linear_trend_timewise`, no calculator looks at times.

An empty series has length 0 and NaN elsewhere. Infinite and NaN input is up to `--on-nan`, see
[extract.md](extract.md#policies). "Columns" counts the features of the preset `comprehensive`.

{index}

{sections}
"""
#: For calculators that need time stamps.
NO_PRESET = "none; efficient and comprehensive in Python, for frames with a DatetimeIndex"
#: What to write for the types of parameters.
WORDS = {
    "float": "number",
    "int": "whole number",
    "bool": "true or false",
    "numbers": "numbers",
}


def catalogue() -> list[dict[str, Any]]:
    """The calculators as JSON values, in the order of the matrix."""
    known = descriptions()
    unknown = Description("", "", "")
    return [_entry(row, known.get(row.name, unknown)) for row in CALCULATORS.values()]


def _entry(row: Calculator, description: Description) -> dict[str, Any]:
    return {
        "name": row.name,
        "parameters": [parameter.name for parameter in row.parameters],
        "combinations": len(row.grid),
        "presets": sorted(row.presets),
        "needs": list(row.needs),
        "minimum_length": row.minimum_length,
        "summary": row.summary,
        "definition": description.definition,
        "unit": description.unit,
        "undefined": description.undefined,
        "source": row.source,
    }


def catalogue_text() -> str:
    """The calculators as an aligned table."""
    rows = catalogue()
    lines = [f"{'calculator':<40} {'columns':>7}  {'presets':<32} summary"]
    lines += [
        f"{row['name']:<40} {row['combinations']:>7}  {', '.join(row['presets']):<32} "
        f"{row['summary']}"
        for row in rows
    ]
    return "\n".join(lines)


def catalogue_page() -> str:
    """The page docs/features.md."""
    known = descriptions()
    return PAGE.format(
        count=len(ROWS),
        left_out=", ".join(f"`{name}`" for name in LEFT_OUT),
        index="\n".join(_index()),
        sections="\n\n".join("\n".join(_section(row, known[row.name])) for row in ROWS),
    )


def _index() -> Iterator[str]:
    yield "| calculator | columns | summary |"
    yield "|---|---|---|"
    for row in ROWS:
        columns = len(row.grid) if "comprehensive" in row.presets else 0
        yield f"| [`{row.name}`](#{row.name}) | {columns} | {row.summary} |"


def _section(row: Calculator, description: Description) -> Iterator[str]:
    yield f"## {row.name}"
    yield ""
    yield description.definition
    yield ""
    for parameter in row.parameters:
        yield f"- `{parameter.name}`: {_range(parameter)}"
    yield f"- Unit: {description.unit}"
    yield f"- NaN: {_nan(row, description)}"
    yield f"- Presets: {', '.join(row.presets) or NO_PRESET}"
    if row.source:
        yield f"- Source: {row.source}"


def _range(parameter: Parameter) -> str:
    """The values that a parameter may have."""
    if parameter.choices:
        text = ", ".join(
            "`None`" if choice is None else f'`"{choice}"`' for choice in parameter.choices
        )
    else:
        low = f" from {parameter.minimum:g}" if math.isfinite(parameter.minimum) else ""
        high = f" to {parameter.maximum:g}" if math.isfinite(parameter.maximum) else ""
        text = WORDS.get(parameter.type, parameter.type) + low + high
    return text if parameter.required else f"{text}; {_default(parameter.default)} if left out"


def _default(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return "none" if value is None else f"`{text}`"


def _nan(row: Calculator, description: Description) -> str:
    """Where a value is missing."""
    short = f"for fewer than {row.minimum_length} values" if row.minimum_length > 1 else ""
    else_ = "" if description.undefined == "never" else description.undefined
    return "; ".join(filter(None, [short, else_])) or "never"
