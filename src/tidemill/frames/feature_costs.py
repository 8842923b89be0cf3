"""What every calculator costs on the user's own data, accounting for all time spent.

One thread calculates a sample of whole series several times; the minimum for each calculator and
shared intermediate counts. The rest of the wall time is a row of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.calculators.budget import NEED, READING, Ledger
from tidemill.calculators.costs import predict
from tidemill.calculators.program import Program, warmup
from tidemill.calculators.settings import Settings
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.errors import ArgumentError
from tidemill.frames.arguments import needs_times, read_settings, warn_of_long_series
from tidemill.model.aliases import Feature, Features, Floats, Index
from tidemill.model.policies import OnError, Policies
from tidemill.model.series import Batch
from tidemill.planning.prepare import open_input
from tidemill.planning.request import Request, source_text
from tidemill.planning.snapshots import snapshots_elsewhere
from tidemill.sources.files.sampling import read_sample
from tidemill.sources.files.statistics import gather_statistics
from tidemill.sources.frames.arrays import read_arrays

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cost", "DataSample", "cost_table", "feature_costs", "file_costs", "take_sample"]

#: Predicted seconds of one pass over the sample, unless its size is given.
PASS_SECONDS = 0.3
#: Series whose lengths that prediction is based on.
LENGTHS = 256
#: Passes: as many as fit into the seconds, within these bounds.
REPEAT_SECONDS = 2.0
FEWEST, MOST = 3, 25


@dataclass(frozen=True, slots=True)
class Cost:
    """One row of the table of costs."""

    calculator: str  # or "need:<intermediate>", or "reading and cutting"
    seconds: float  # for all of the data, on one thread
    us_per_series: float
    share: float  # of all seconds
    saves: float | None  # seconds saved by dropping this calculator alone; None: not a calculator
    alone: float  # seconds if the intermediate it is read from is not made, else as seconds
    used_by: str  # names of the calculators that need the intermediate


@dataclass(frozen=True, slots=True, eq=False)
class DataSample:
    """A sample of the data, and what to scale its seconds by."""

    batch: Batch
    factor: float  # values in all of the data per value in the sample
    series: Mapping[str, float]  # kind -> number of series in all of the data
    reading: float  # seconds for all of the data


def feature_costs(
    timeseries_container: Any,
    default_fc_parameters: Any = None,
    kind_to_fc_parameters: Mapping[str, Any] | None = None,
    column_id: str | list[str] | None = None,
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | list[str] | None = None,
    *,
    sample: int | None = None,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
) -> pd.DataFrame:
    """Measure what every calculator costs on these series.

    One thread calculates a sample of the ids several times, with compiled kernels; the minimum
    counts. The sample has series of all lengths.

    Parameters
    ----------
    timeseries_container : DataFrame, mapping of kind to DataFrame, or arrays
        As for :func:`tidemill.extract_features`; or a 2-D array (series, values), a 3-D array
        (cases, channels, timepoints) or a list of 1-D arrays.
    default_fc_parameters, kind_to_fc_parameters : settings, optional
        As for :func:`tidemill.extract_features`; default: comprehensive.
    column_id, column_sort, column_kind, column_value : str, optional
        Roles of the columns of frames.
    sample : int, optional
        Number of ids to calculate; default: what one thread calculates in about 0.3 s.
    on_nan, on_duplicate, on_error
        Policies, as for :func:`tidemill.extract_features`.

    Returns
    -------
    DataFrame
        The most expensive row first. ``calculator``; ``seconds`` for all of the data, on one
        thread; ``us_per_series``, microseconds; ``share``, which adds up to 1; ``saves``, the
        seconds saved by dropping this calculator alone; ``alone`` and ``used_by`` for
        intermediates. Rows ``need:<intermediate>`` are work that several calculators share: it is
        saved only once every calculator in ``used_by`` is dropped. ``reading and cutting`` is the
        rest: reading the frame, cutting it into blocks, and making the frame of features.

    Raises
    ------
    InputError
        If arguments, settings or data cannot be used.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": np.repeat(np.arange(50), 20), "x": np.arange(1000.0)})
    >>> costs = feature_costs(frame, {"mean": None, "quantile": [{"q": 0.1}]}, column_id="id")
    >>> sorted(costs["calculator"])
    ['mean', 'need:moments', 'need:sorted', 'quantile', 'reading and cutting']
    >>> round(float(costs["share"].sum()), 9)
    1.0
    """
    import pandas as pd

    from tidemill.sources.frames.containers import has_time_index

    timed = has_time_index(timeseries_container)
    settings = read_settings(default_fc_parameters, kind_to_fc_parameters, timed=timed)
    policies = Policies(on_nan, on_duplicate, on_error)  # type: ignore[arg-type]
    roles = {
        "column_id": column_id, "column_sort": column_sort, "column_kind": column_kind,
        "column_value": column_value,
    }  # fmt: skip
    began = time.perf_counter()
    batch = _read(timeseries_container, roles, policies, settings)
    reading = time.perf_counter() - began
    settings.columns(batch.blocks)
    features = {kind: settings.features_for(kind) for kind in batch.blocks}
    warn_of_long_series(batch, features)
    data = take_sample(batch, features, sample, reading)
    rows = cost_table(settings, features, data, policies.on_error)
    return pd.DataFrame([asdict(row) for row in rows])


def file_costs(request: Request, sample: int | None = None) -> tuple[list[Cost], str]:
    """Measure what every calculator costs on series in files; also describe the sample.

    Raises
    ------
    InputError
        If files, columns or settings cannot be used.
    """
    check_sample(sample)
    with snapshots_elsewhere(request) as apart:
        return _file_costs(apart, sample)


def _file_costs(request: Request, sample: int | None) -> tuple[list[Cost], str]:
    source, settings = open_input(request), request.settings
    found = gather_statistics(source)
    features = {kind: settings.features_for(kind) for kind in source.kinds}
    if sample is None:
        lengths = dict.fromkeys(features, found.profile.lengths)
        sample = _ids_per_pass(features, lengths, found.profile.counts)
    times = settings.needs_times(source.kinds)
    some = read_sample(source, found, sample, request.policies, needs_times=times)
    factor = source.rows / max(some.rows, 1)
    ids = len(some.batch.ids)
    series = {kind: n * found.profile.ids / ids for kind, n in _series(some.batch).items()}
    reading = some.seconds * source.rows / some.rows_read + some.seconds_to_cut * factor
    data = DataSample(some.batch, factor, series, reading)
    rows = cost_table(settings, features, data, request.policies.on_error)
    text = f"{ids:,} of {found.profile.ids:,.0f} ids and {some.rows:,} of {source.rows:,} rows"
    return rows, f"{source_text(request)}: measured on {text}, by one thread"


# Reading


def _read(
    container: Any, roles: Mapping[str, Any], policies: Policies, settings: Settings
) -> Batch:
    if isinstance(container, np.ndarray | list | tuple):
        named = [role for role, name in roles.items() if name is not None]
        if named:
            raise ArgumentError(f"{named[0]} has no meaning for arrays: omit it")
        return read_arrays(container, policies=policies)
    from tidemill.sources.frames.containers import read_frame

    return read_frame(container, **roles, policies=policies, needs_times=needs_times(settings))


# The sample


def take_sample(
    batch: Batch, features: Mapping[str, Features], sample: int | None, reading: float
) -> DataSample:
    """Take ids with series of all lengths.

    Raises
    ------
    ArgumentError
        If ``sample`` is less than 1.
    """
    check_sample(sample)
    lengths = np.sum([block.lengths for block in batch.blocks.values()], axis=0)
    by_length = np.argsort(lengths, kind="stable")
    if sample is None:
        some = _evenly(by_length, LENGTHS)
        lengths_of = {kind: block.lengths[some] for kind, block in batch.blocks.items()}
        sample = _ids_per_pass(features, lengths_of, np.ones(len(some)))
    rows = np.sort(_evenly(by_length, sample))
    factor = float(lengths.sum()) / max(float(lengths[rows].sum()), 1.0)
    return DataSample(_taken(batch, rows), factor, _series(batch), reading)


def check_sample(sample: int | None) -> None:
    """Refuse a sample of no ids."""
    if sample is not None and sample < 1:
        raise ArgumentError(f"sample={sample!r} is not allowed; give 1 or more ids, or None")


def _ids_per_pass(
    features: Mapping[str, Features], lengths: Mapping[str, npt.NDArray[Any]], counts: Floats
) -> int:
    """Ids calculated in :data:`PASS_SECONDS`; ``counts``: series of each of the ``lengths``."""
    seconds = sum(predict(own, np.maximum(lengths[k], 1), counts) for k, own in features.items())
    return max(math.ceil(PASS_SECONDS * float(counts.sum()) / max(seconds, 1e-9)), 1)


def _evenly(rows: Index, n: int) -> Index:
    """At most ``n`` of the rows, evenly spaced."""
    n = min(n, len(rows))
    return rows[((np.arange(n) + 0.5) * len(rows) / n).astype(np.int64)]


def _taken(batch: Batch, rows: Index) -> Batch:
    blocks = {kind: block.take(rows) for kind, block in batch.blocks.items()}
    present = {kind: has[rows] for kind, has in batch.present.items()}
    return Batch(batch.ids.take(pa.array(rows)), blocks, present)


def _series(batch: Batch) -> dict[str, float]:
    every = len(batch.ids)
    present = batch.present
    return {k: float(present[k].sum()) if k in present else float(every) for k in batch.blocks}


# The table


def cost_table(
    settings: Settings,
    features: Mapping[str, Features],
    data: DataSample,
    on_error: OnError = "raise",
) -> list[Cost]:
    """Measure the sample and scale to all of the data; the most expensive row first."""
    measured = {
        name: value * data.factor
        for name, value in _measure(data.batch, features, on_error).items()
    }
    measured[READING] += data.reading
    for own in (settings.default, *settings.kinds.values()):
        for name, _ in own:
            measured.setdefault(name, 0.0)  # of kinds that the data do not have
    alone = {n: s * data.factor for n, s in _alone(data.batch, features, on_error).items()}
    ledger = Ledger.of([one for own in features.values() for one in own], measured, alone)
    series = _series_by_name(features, data.series)
    rows = [_row(name, ledger, series) for name in measured]
    return sorted(rows, key=lambda row: -row.seconds)


def _row(name: str, ledger: Ledger, series: Mapping[str, float]) -> Cost:
    seconds = ledger.seconds[name]
    need = name.removeprefix(NEED)
    every = list(ledger.needs)
    return Cost(
        calculator=name,
        seconds=seconds,
        us_per_series=1e6 * seconds / series[name] if series.get(name) else 0.0,
        share=seconds / math.fsum(ledger.seconds.values()),
        saves=ledger.saves(name, every) if name in ledger.needs else None,
        alone=ledger.alone.get(need, seconds) if name != need else seconds,
        used_by=", ".join(ledger.users(need)) if name != need else "",
    )


def _series_by_name(
    features: Mapping[str, Features], series: Mapping[str, float]
) -> dict[str, float]:
    """The number of series for which each calculator or intermediate is calculated."""
    counted: dict[str, float] = {READING: sum(series.values())}
    for kind, own in features.items():
        program = Program(own)
        names = {name for name, _ in own} | {NEED + name for name in program.intermediates}
        for name in names:
            counted[name] = counted.get(name, 0.0) + series[kind]
    return counted


def _measure(batch: Batch, features: Mapping[str, Features], on_error: OnError) -> dict[str, float]:
    """Minimum seconds per pass: of each calculator, each intermediate, and the rest."""
    for own in features.values():
        warmup(own)
    calculator = MatrixCalculator(features, on_error)
    best: dict[str, float] = {}
    with one_pool_thread():
        began = time.perf_counter()
        for repeat in range(MOST):
            for name, seconds in _pass(calculator, batch).items():
                best[name] = min(best.get(name, math.inf), seconds)
            spent = time.perf_counter() - began
            if spent > REPEAT_SECONDS and (repeat + 1 >= FEWEST or spent > FEWEST * REPEAT_SECONDS):
                break
    return best


def _pass(calculator: MatrixCalculator, batch: Batch) -> dict[str, float]:
    from tidemill.sources.frames.containers import to_frame

    began = time.perf_counter()
    for first, last in calculator.tiles(batch):
        tile = calculator.calculate(batch, first, last)
        to_frame(batch.ids[first:last], calculator.columns, tile)
    wall = time.perf_counter() - began
    taken = calculator.take_seconds()
    calculator.take_errors()
    return {**taken, READING: max(wall - math.fsum(taken.values()), 0.0)}


def _alone(batch: Batch, features: Mapping[str, Features], on_error: OnError) -> dict[str, float]:
    """Seconds of intermediates usually read from another one, when that one is not made."""
    found: dict[str, float] = {}
    for name, row in INTERMEDIATES.items():
        lone = {kind: _only(own, name, row.shortcut[0]) for kind, own in features.items()}
        if row.shortcut[0] and any(lone.values()):
            found[name] = _measure(batch, lone, on_error)[NEED + name]
    return found


def _only(features: Features, need: str, without: str) -> list[Feature]:
    """The features that need one intermediate but not the other."""
    kept: dict[str, bool] = {}
    for feature in features:
        if feature[0] not in kept:
            made = Program([feature]).intermediates
            kept[feature[0]] = need in made and without not in made
    return [feature for feature in features if kept[feature[0]]]
