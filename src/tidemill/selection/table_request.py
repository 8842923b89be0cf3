"""What the flow ``select`` is asked for, checked and frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from tidemill.calculators.custom import import_modules
from tidemill.errors import ArgumentError
from tidemill.planning.doors import SELECT, check_number
from tidemill.planning.parameters import PARAMETERS
from tidemill.selection.rules import SelectionRules, check_rules
from tidemill.storage.interval_choice import IntervalChoice
from tidemill.storage.layout import FILE_SUFFIXES, SinkLayout
from tidemill.storage.matrix_columns import parse_intervals
from tidemill.storage.stores import Store

__all__ = ["TableSelection", "selection_request"]

#: Bytes of feature values that are held at a time.
MAX_BYTES = 256 * 2**20
#: What the names of output folders end in, beside the table.
BESIDE = "_selection"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSelection(SelectionRules):
    """One selection of columns: matrix, target, tests, where the results go."""

    matrix: SinkLayout
    target: SinkLayout
    column_target: str
    output: Store
    column_id: tuple[str, ...] = ()  # of the target; empty: named as in the matrix
    column_interval: str | None = None  # of the target; None: it is the same in all intervals
    interval: IntervalChoice | None = None  # None: all
    max_features: int | None = None
    max_bytes: int = MAX_BYTES
    relevance_file: str = "relevance.parquet"  # name in the output folder


def selection_request(given: Mapping[str, Any]) -> TableSelection:
    """Check everything that needs neither the matrix nor the target, and freeze it.

    Parameters
    ----------
    given : parameters of the flow ``select`` by name

    Raises
    ------
    ArgumentError
        If a value is not allowed.

    Examples
    --------
    >>> given = {"matrix": "/data/pumps", "target": "/data/worn.csv", "column_target": "worn"}
    >>> selection_request(given).output
    Store('/data/pumps_selection')
    """
    values = SELECT.complete(given)
    for name in values:
        check_number(name, values[name])
    if values["fdr_level"] >= 1:
        raise ArgumentError(
            f"fdr_level={values['fdr_level']!r} is not allowed; give a share below 1, such as 0.05"
        )
    _check_choice("ml_task", values["ml_task"])
    import_modules(values["modules"] or ())
    options = values["storage_options"]
    matrix = SinkLayout.of(values["matrix"], options)
    request = TableSelection(
        matrix=matrix,
        target=_target(values["target"], options),
        column_target=values["column_target"],
        output=_output(values["output"], matrix, options),
        column_id=_columns(values["column_id"]),
        column_interval=values["column_interval"],
        interval=parse_intervals(values["interval"]),
        ml_task=values["ml_task"],
        multiclass=values["multiclass"],
        n_significant=values["n_significant"],
        test=values["test_for_binary_target_real_feature"],
        fdr_level=values["fdr_level"],
        independent=values["hypotheses_independent"],
        per_window=values["per_window"],
        min_share=values["min_share"],
        max_features=values["max_features"],
        max_bytes=values["max_bytes"] or MAX_BYTES,
        relevance_file=_relevance_file(values["relevance_file"]),
    )
    check_rules(request)
    _check_places(request)
    return request


def _check_choice(name: str, value: Any) -> None:
    allowed = get_args(PARAMETERS[name].forms[0].type)
    if value not in allowed:
        raise ArgumentError(
            f"{name}={value!r} is not allowed; choose one of {', '.join(map(repr, allowed))}"
        )


def _columns(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _target(given: Any, options: Mapping[str, str] | None) -> SinkLayout:
    if not str(given).lower().endswith(FILE_SUFFIXES):
        raise ArgumentError(
            f"target={os.fspath(given)!r} is not allowed; give a file that ends in .parquet or .csv"
        )
    return SinkLayout.of(given, options)


def _output(given: Any, matrix: SinkLayout, options: Mapping[str, str] | None) -> Store:
    """The folder of the results; by default beside the matrix."""
    if given is None:
        bare = matrix.url if matrix.kind == "delta" else matrix.url.rpartition(".")[0]
        return Store.open(bare + BESIDE, options)
    return Store.open(given, options)


def _check_places(request: TableSelection) -> None:
    """Refuse results that would lie in the table, or in the place of an input."""
    output, matrix = _place(request.output.url), _place(request.matrix.url)
    if request.matrix.kind == "delta" and f"{output}/".startswith(f"{matrix}/"):
        raise ArgumentError(
            f"output={request.output.url!r} is not allowed: it lies in the table "
            f"{request.matrix.url}; give a folder beside it"
        )
    written = _place(request.output.url_of(request.relevance_file))
    for name, url in (("matrix", request.matrix.url), ("target", request.target.url)):
        if written == _place(url):
            raise ArgumentError(
                f"relevance_file={request.relevance_file!r} is not allowed: with "
                f"output={request.output.url!r} it is the {name}; give another name or folder"
            )


def _place(url: str) -> str:
    """Where a file or folder lies; of a local one, behind links."""
    return url if "://" in url else os.path.realpath(url)


def _relevance_file(given: str) -> str:
    if "/" in given or not given.lower().endswith(FILE_SUFFIXES) or given.startswith("."):
        raise ArgumentError(
            f"relevance_file={given!r} is not allowed; give the name of a file that ends in "
            ".parquet or .csv"
        )
    return given
