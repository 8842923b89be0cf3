"""What a selection of features leaves behind, and what is said of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tidemill.calculators.settings import Settings
from tidemill.errors import printable, shorten
from tidemill.model.counts import counted
from tidemill.reports.charts import ordered_p_values
from tidemill.reports.markdown import escaped, href
from tidemill.reports.text import aligned, number_text, seconds_text
from tidemill.selection.rejections import thresholds

if TYPE_CHECKING:
    import pandas as pd

    from tidemill.selection.table import SelectedColumns
    from tidemill.selection.table_request import TableSelection

__all__ = ["selection_page", "selection_text", "write_selection"]

#: Names in the output folder.
SETTINGS, PICTURE = "chosen.yaml", "p_values.png"
#: Features named in a page.
NAMED = 40
#: Features named of those that cannot be tested.
DROPPED = 3


def write_selection(request: TableSelection, selected: SelectedColumns) -> dict[str, Any]:
    """Write the relevance table, the settings of the chosen features and a picture.

    Without a chosen feature no settings are written; without a tested one, no picture.

    Parameters
    ----------
    request : what was asked for
    selected : what was found

    Returns
    -------
    dict
        The summary of the selection, as JSON values.
    """
    output = request.output
    settings = Settings.from_columns(selected.chosen).to_yaml() if selected.chosen else ""
    picture = _picture(request, selected)
    output.write(request.relevance_file, _table_bytes(selected.relevance, request.relevance_file))
    if picture:
        output.write(PICTURE, picture, "image/png")
    if settings:
        output.write(SETTINGS, settings.encode())
    types = selected.relevance["type"].value_counts()
    return {
        "verdict": selected.verdict.text,
        "matrix": request.matrix.url,
        "target": f"{request.column_target} in {request.target.url}",
        "ml_task": selected.target.ml_task,
        "classes": len(selected.target.labels),
        "rows": selected.rows,
        "rows_without_target": selected.rows_without_target,
        "targets_without_row": selected.targets_without_row,
        "intervals": selected.intervals,
        "features": len(selected.relevance),
        "types": {str(name): int(count) for name, count in types.items()},
        "empty": selected.names_of("empty"),
        "constant": selected.names_of("constant"),
        "imputed": int(selected.relevance["imputed"].sum()),
        "relevant": selected.relevant,
        "chosen": list(selected.chosen),
        "fdr_level": selected.fdr_level,
        "hypotheses_independent": selected.independent,
        "batches": selected.batches,
        "relevance": output.url_of(request.relevance_file),
        "settings": output.url_of(SETTINGS) if settings else None,
        "picture": output.url_of(PICTURE) if picture else None,
        "warnings": list(selected.warnings),
        "seconds": selected.seconds,
    }


def _table_bytes(relevance: pd.DataFrame, name: str) -> bytes:
    table, sink = pa.Table.from_pandas(relevance, preserve_index=False), pa.BufferOutputStream()
    if name.lower().endswith(".csv"):
        pacsv.write_csv(table, sink)
    else:
        pq.write_table(table, sink)
    return bytes(sink.getvalue())


def _picture(request: TableSelection, selected: SelectedColumns) -> bytes:
    p_values = {str(label): found for label, found in selected.p_values.items()}
    tested = len(next(iter(p_values.values())))
    if not tested:
        return b""
    levels = thresholds(tested, selected.fdr_level, independent=selected.independent)
    title = (
        f"{printable(request.column_target, 60)}: {selected.relevant:,} of "
        f"{counted(tested, 'feature')} relevant at a false discovery rate of "
        f"{selected.fdr_level:g}"
    )
    with tempfile.TemporaryDirectory() as folder:
        return ordered_p_values(p_values, levels, Path(folder) / PICTURE, title).read_bytes()


def selection_text(summary: Mapping[str, Any]) -> str:
    """The summary of a selection, in a few aligned lines."""
    lines = [
        ("Verdict", summary["verdict"]),
        ("Feature matrix", summary["matrix"]),
        ("Target", f"{summary['target']}: {_task(summary)}"),
        ("Rows", _rows(summary)),
        ("Features", _features(summary)),
        ("Chosen", _chosen(summary)),
        ("Relevance", summary["relevance"]),
        ("Settings", summary["settings"] or "not written"),
        ("Picture", summary["picture"] or "not drawn"),
        ("Seconds", seconds_text(summary["seconds"])),
    ]
    lines[5:5] = [("Dropped", text) for text in _dropped(summary)]
    return aligned(lines)


def _task(summary: Mapping[str, Any]) -> str:
    classes = f", {counted(summary['classes'], 'class', 'classes')}" * bool(summary["classes"])
    return f"{summary['ml_task']}{classes}"


def _rows(summary: Mapping[str, Any]) -> str:
    of = f" of {counted(summary['intervals'], 'interval')}" * bool(summary["intervals"])
    return (
        f"{summary['rows']:,}{of}; {counted(summary['rows_without_target'], 'row')} without a "
        f"target, {counted(summary['targets_without_row'], 'target')} without a row"
    )


def _features(summary: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(summary["types"].items()))
    imputed = counted(summary["imputed"], "value")
    return f"{summary['features']:,}: {kinds}; {imputed} imputed"


def _dropped(summary: Mapping[str, Any]) -> Iterator[str]:
    """The features that cannot be tested."""
    for kind, why in (("empty", "no finite value"), ("constant", "constant")):
        if summary[kind]:
            yield f"{why}: {shorten(summary[kind], DROPPED)}"


def _chosen(summary: Mapping[str, Any]) -> str:
    return f"{len(summary['chosen']):,} of {summary['relevant']:,} relevant ones"


def selection_page(summary: Mapping[str, Any], relevance: pd.DataFrame) -> str:
    """The report of a selection in Markdown: the chosen features with their p-values.

    Parameters
    ----------
    summary : that :func:`write_selection` returned
    relevance : the relevance table
    """
    lines = [f"# {escaped(summary['verdict'], limit=2_000)}", "", "| | |", "|---|---|"]
    cells = {
        "feature matrix": summary["matrix"],
        "target": f"{summary['target']}: {_task(summary)}",
        "rows": _rows(summary),
        "features": _features(summary),
        "chosen": _chosen(summary),
    }
    lines += [f"| {name} | {escaped(text)} |" for name, text in cells.items()]
    lines += [f"| dropped | {escaped(text, limit=700)} |" for text in _dropped(summary)]
    for name in ("relevance", "settings", "picture"):
        if summary[name]:
            lines.append(f"| {name} | [{escaped(summary[name])}]({href(summary[name])}) |")
    return "\n".join([*lines, *_chosen_section(summary, relevance)])


def _chosen_section(summary: Mapping[str, Any], relevance: pd.DataFrame) -> Iterator[str]:
    chosen = summary["chosen"]
    if not chosen:
        return
    yield from ("", "## Chosen features", "", "| feature | type | p-value |", "|---|---|---|")
    table = relevance.set_index("feature")
    smallest = table.filter(regex="^p_value").min(axis=1)
    for name in chosen[:NAMED]:
        p_value = number_text(float(smallest[name]), 3)
        yield f"| {escaped(name)} | {table.loc[name, 'type']} | {p_value} |"
    if len(chosen) > NAMED:
        yield from ("", f"... ({len(chosen):,} in all; the settings name them)")
