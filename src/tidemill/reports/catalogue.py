"""The catalogue of calculators: as a table, as JSON, and as a page of the documentation."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from tidemill.calculators.registry import CALCULATORS
from tidemill.calculators.table.build import LEFT_OUT, ROWS
from tidemill.calculators.table.catalogue import CalculatorDescription, descriptions
from tidemill.calculators.table.spec import Calculator, Parameter
from tidemill.errors import ArgumentError

__all__ = ["calculator_text", "catalogue", "catalogue_page", "catalogue_text"]

PAGE = """\
# Features

<!-- Made by `tidemill features --markdown` from the table of calculators: do not edit. -->

A feature is a calculator with parameters, applied to the series of one kind:
`kind__calculator__param_value`. These {count} calculators are tsfresh's, with its names, values and
order; {left_out} is left out. `tidemill features` lists them in brief, along with your own.

x[0] to x[n-1] are the n values of a series, in the order of the sort column. Mean, variance and
standard deviation are those of the calculators of these names (divisor n). "Values' unit" is the
unit of the input, "share" a number from 0 to 1, and "1" a number without a unit. Steps are from one
value to the next: apart from `linear_trend_timewise`, no calculator looks at times.

A kind of which an id has no value gives NaN everywhere. `--on-nan` decides about infinite and NaN
input, see [extract.md](extract.md#policies). "Columns" counts the features of the preset
`comprehensive`.

Words with a special meaning are explained in the [glossary](glossary.md).

{index}

{sections}
"""
#: Presets of calculators that need timestamps.
NO_PRESET = "none; efficient and comprehensive in Python, for frames with a DatetimeIndex"
#: How to write the types of parameters.
WORDS = {
    "float": "number",
    "int": "whole number",
    "bool": "true or false",
    "numbers": "numbers",
}
#: Longest line of the page, tables apart.
WIDTH = 110


def catalogue() -> list[dict[str, Any]]:
    """The calculators as JSON values, in the order of the matrix."""
    known = descriptions()
    unknown = CalculatorDescription("", "", "")
    return [_entry(row, known.get(row.name, unknown)) for row in CALCULATORS.values()]


def _entry(row: Calculator, description: CalculatorDescription) -> dict[str, Any]:
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
    lines = [f"{'calculator':<40} {'columns':>7}  {'presets':<33} summary"]
    lines += [
        f"{row.name:<40} {len(row.grid):>7}  {', '.join(sorted(row.presets)):<33} {row.summary}"
        for row in CALCULATORS.values()
    ]
    return "\n".join(lines)


def calculator_text(name: str) -> str:
    r"""All about one calculator: its definition, parameters, unit and presets.

    Raises
    ------
    ArgumentError
        If there is none of that name.

    Examples
    --------
    >>> print(calculator_text("quantile").partition("\n\n")[0])
    quantile
    """
    if name not in CALCULATORS:
        near = get_close_matches(name, CALCULATORS, n=3, cutoff=0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise ArgumentError(f"there is no calculator {name!r}{hint}. `tidemill features` lists all")
    row = CALCULATORS[name]
    description = descriptions().get(name, CalculatorDescription(row.summary, "", ""))
    _, *lines = _section(row, description)
    columns = f"- Columns of comprehensive: {len(row.grid)}"
    return "\n".join([name, *(line.replace("`", "") for line in lines), columns])


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


def _section(row: Calculator, description: CalculatorDescription) -> Iterator[str]:
    yield f"## {row.name}"
    yield ""
    yield _wrapped(description.definition)
    yield ""
    for parameter in row.parameters:
        yield _wrapped(f"- `{parameter.name}`: {_range(parameter)}")
    yield _wrapped(f"- Unit: {description.unit}")
    yield _wrapped(f"- NaN: {_nan(row, description)}")
    yield _wrapped(f"- Presets: {', '.join(row.presets) or NO_PRESET}")
    if row.source:
        yield _wrapped(f"- Source: {row.source}")


def _wrapped(text: str) -> str:
    """Break a paragraph or an item of a list into lines that Markdown joins again."""
    # At the start of a line these would begin a list, a title or a quotation.
    glued = re.sub(r" (?=[-+*=#>]|\d+\.)", "\0", text)
    indent = "  " if text.startswith("- ") else ""
    lines = textwrap.fill(
        glued, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines.replace("\0", " ")


def _range(parameter: Parameter) -> str:
    """The values that a parameter may take."""
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


def _nan(row: Calculator, description: CalculatorDescription) -> str:
    """When a feature is NaN."""
    short = f"for fewer than {row.minimum_length} values" if row.minimum_length > 1 else ""
    undefined = "" if description.undefined == "never" else description.undefined
    return "; ".join(filter(None, [short, undefined])) or "never"
