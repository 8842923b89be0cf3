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
from tidemill.reports.charts import ordered_p_values, ordered_shares
from tidemill.reports.markdown import escaped, href
from tidemill.reports.text import aligned, number_text, seconds_text
from tidemill.selection.rejections import thresholds

if TYPE_CHECKING:
    import pandas as pd

    from tidemill.selection.table import SelectedColumns
    from tidemill.selection.table_request import TableSelection

__all__ = ["selection_page", "selection_text", "write_selection"]

#: Names in the output folder.
SETTINGS, PICTURE, SHARES = "chosen.yaml", "p_values.png", "intervals.png"
#: Intervals named in a text.
INTERVALS = 10
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
    name, picture = _picture(request, selected)
    output.write(request.relevance_file, _table_bytes(selected.relevance, request.relevance_file))
    if picture:
        output.write(name, picture, "image/png")
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
        "per_window": request.per_window,
        "min_share": selected.min_share if selected.windows else None,
        "windows": [
            {
                "interval": one.label,
                "rows": one.rows,
                "relevant": None if one.untested else one.count,
                "untested": one.untested,
            }
            for one in selected.windows
        ],
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
        "picture": output.url_of(name) if picture else None,
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


def _picture(request: TableSelection, selected: SelectedColumns) -> tuple[str, bytes]:
    """The name of the picture in the output folder, and its bytes, of which there may be none."""
    draw = _shares if selected.windows else _p_values
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (SHARES if selected.windows else PICTURE)
        draw(request, selected, path)
        return path.name, path.read_bytes() if path.exists() else b""


def _p_values(request: TableSelection, selected: SelectedColumns, path: Path) -> None:
    p_values = {str(label): found for label, found in selected.p_values.items()}
    tested = len(next(iter(p_values.values())))
    if tested:
        levels = thresholds(tested, selected.fdr_level, independent=selected.independent)
        ordered_p_values(p_values, levels, path, _title(request, selected, tested))


def _shares(request: TableSelection, selected: SelectedColumns, path: Path) -> None:
    counts = selected.relevance["n_relevant"].to_numpy()
    intervals = sum(not one.untested for one in selected.windows)
    title = _title(request, selected, len(counts))
    ordered_shares(counts, intervals, selected.min_share, path, title)


def _title(request: TableSelection, selected: SelectedColumns, tested: int) -> str:
    return (
        f"{printable(request.column_target, 60)}: {selected.relevant:,} of "
        f"{counted(tested, 'feature')} relevant at a false discovery rate of "
        f"{selected.fdr_level:g}"
    )


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
    lines[4:4] = [("Intervals", text) for text in _windows(summary)]
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


def _windows(summary: Mapping[str, Any]) -> Iterator[str]:
    """How many features are relevant in each interval, or why none was tested; the first ones."""
    windows = summary["windows"]
    for one in windows[:INTERVALS]:
        rows = counted(one["rows"], "row")
        found = f"not tested: {one['untested']}"
        if not one["untested"]:
            found = f"{counted(one['relevant'], 'feature')} relevant, by {rows}"
        yield f"{one['interval']}: {found}"
    if len(windows) > INTERVALS:
        yield f"... ({len(windows):,} in all)"


def _chosen(summary: Mapping[str, Any]) -> str:
    apart = ""
    if summary["windows"]:
        tested = sum(not one["untested"] for one in summary["windows"])
        share = f"{summary['min_share']:.3g}"
        apart = f", which are so in {share} of {counted(tested, 'interval')} or more"
    return f"{len(summary['chosen']):,} of {summary['relevant']:,} relevant ones{apart}"


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
    lines += [f"| interval | {escaped(text)} |" for text in _windows(summary)]
    lines += [f"| dropped | {escaped(text, limit=700)} |" for text in _dropped(summary)]
    for name in ("relevance", "settings", "picture"):
        if summary[name]:
            lines.append(f"| {name} | [{escaped(summary[name])}]({href(summary[name])}) |")
    return "\n".join([*lines, *_chosen_section(summary, relevance)])


def _chosen_section(summary: Mapping[str, Any], relevance: pd.DataFrame) -> Iterator[str]:
    chosen = summary["chosen"]
    if not chosen:
        return
    apart = " intervals |" * bool(summary["windows"])
    yield from ("", "## Chosen features", "", f"| feature | type | p-value |{apart}")
    yield "|---|---|---|" + "---|" * bool(apart)
    table = relevance.set_index("feature")
    smallest = table.filter(regex="^p_value").min(axis=1)
    for name in chosen[:NAMED]:
        p_value = number_text(float(smallest[name]), 3)
        counts = f" {table.loc[name, 'n_relevant']:,} |" if apart else ""
        yield f"| {escaped(name)} | {table.loc[name, 'type']} | {p_value} |{counts}"
    if len(chosen) > NAMED:
        yield from ("", f"... ({len(chosen):,} in all; the settings name them)")
