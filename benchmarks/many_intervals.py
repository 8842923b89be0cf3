"""A table of thousands of intervals: what each command takes on it.

    python benchmarks/many_intervals.py --intervals 5000

The first and the last intervals are calculated. Those between have copies of the first one's files,
published and recorded one after the other by the engine's own writers, so log, records and leases
are those of a table that grew for months. Each figure is of a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from common import SEED, machine, measure, prefect_home, table, workspace

from tidemill.execution.in_process import extract_here
from tidemill.model.interval import Interval
from tidemill.planning.check_limits import parse_checks
from tidemill.planning.prepare import find_interval_files
from tidemill.planning.request import Request, make_request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import find_interval, interval_at
from tidemill.storage.intervals import (
    IntervalRecord,
    file_identities,
    interval_names,
    read_coverages,
    read_figures,
    read_intervals,
    write_coverage,
    write_figures,
    write_interval,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.markers import Marker
from tidemill.storage.publish import publish
from tidemill.storage.record import RunRecord, history, write_record

FIRST = pd.Timestamp("2026-01-01", tz="UTC")
CALCULATED = 2  # at each end
IDS = 5
DAY = 86_400 * 10**9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intervals", type=int, default=5000)
    parser.add_argument(
        "--keep", metavar="FOLDER", help="Make input and table there, once; measure a copy."
    )
    arguments = parser.parse_args()
    print(machine())
    with workspace() as folder:
        place = Path(arguments.keep) if arguments.keep else folder
        place.mkdir(parents=True, exist_ok=True)
        grown = Grown(place / "in", place / "table", arguments.intervals)
        seconds = grown.grow()
        if arguments.keep:
            grown = replace(grown, sink=shutil.copytree(grown.sink, folder / "table"))
        rows = [row for name, command in grown.commands() for row in timed(name, command, folder)]
    print(f"{arguments.intervals:,} intervals made in {seconds:.0f} s")
    print(table(("what", "seconds", "of a core", "peak MiB"), rows))


def timed(name: str, command: Sequence[str], folder: Path) -> Iterator[Sequence[object]]:
    """A row of the table."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = measure(command, **prefect_home(folder))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    yield name, f"{measured.seconds:.1f}", f"{used:.1f}", f"{measured.peak_bytes / 2**20:.0f}"


@dataclass(frozen=True)
class Grown:
    """An input by the hour, and a table of it."""

    source: Path
    sink: Path
    count: int
    _known: dict[int, tuple[tuple[str, int, str], ...]] = field(default_factory=dict)

    def grow(self) -> float:
        """Make both; the seconds."""
        started = time.perf_counter()
        write_input(self.source, self.count + 1)
        self.calculate(range(CALCULATED))
        made = range(CALCULATED, self.count - CALCULATED)
        copy_intervals(SinkLayout.of(self.sink), [self.interval(n) for n in made], self.files)
        self.calculate(range(max(CALCULATED, self.count - CALCULATED), self.count))
        return time.perf_counter() - started

    def interval(self, number: int) -> Interval:
        """An interval, counted from the first."""
        calendar = Calendar("1h")
        first = find_interval(calendar, FIRST.isoformat())
        return interval_at(calendar, first.start + number * (first.end - first.start))

    def calculate(self, numbers: Sequence[int] | range) -> None:
        """Calculate some intervals as a run does."""
        for number in numbers:
            interval = self.interval(number)
            if interval.name not in interval_names(SinkLayout.of(self.sink)):
                extract_here(self.request(interval), threads=1)

    def request(self, interval: Interval) -> Request:
        """The request for an interval, as the command makes it."""
        made = make_request(
            self.source, self.sink, column_id="id", column_sort="time", settings="minimal",
            on_nan="quarantine", on_error="nan", on_bad_file="quarantine",
        )  # fmt: skip
        return replace(made, interval=interval, checks=parse_checks(None), validated=True)

    def files(self, interval: Interval) -> tuple[tuple[str, int, str], ...]:
        """The files that touch an interval, as its record names them; all hours of a day alike."""
        day = interval.start // DAY
        if day not in self._known:
            self._known[day] = file_identities(find_interval_files(self.request(interval)))
        return self._known[day]

    def commands(self) -> Iterator[tuple[str, Sequence[str]]]:
        """What is measured, and its command."""
        tidemill, sink = [sys.executable, "-m", "tidemill"], str(self.sink)
        reading = "import sys, tidemill; tidemill.read_matrix(sys.argv[1], {})"
        one = repr(self.interval(self.count // 2).name)
        given = [str(self.source), sink, "--column-id=id", "--column-time=time",
                 "--settings=minimal", "--every=1h", "--cluster=none"]  # fmt: skip
        again = [self.interval(n).name for n in (self.count - 2, self.count - 1)]
        day = [self.interval(n).name for n in (self.count - 24, self.count)]
        everything = [self.interval(n).name for n in (0, self.count)]
        yield "import tidemill and deltalake", [sys.executable, "-c", "import tidemill, deltalake"]
        yield "read_matrix, an interval", [sys.executable, "-c", reading.format(one), sink]
        yield "read_matrix, all", [sys.executable, "-c", reading.format("None"), sink]
        yield "status", [*tidemill, "status", sink]
        yield "inspect", [*tidemill, "inspect", sink]
        for name, number in (("nothing to do", self.count - 1), ("one more", self.count)):
            start = f"--interval-start={self.interval(number).name}"
            yield f"extract-interval, {name}", [*tidemill, "extract-interval", *given, start]
        for name, (start, end), what in (
            ("--recalculate, an interval", again, "--recalculate"),
            ("--dry-run, a day", day, "--dry-run"),
            ("--dry-run, all", everything, "--dry-run"),
        ):
            options = [f"--start={start}", f"--end={end}", what]
            yield f"backfill {name}", [*tidemill, "backfill", *given, *options]
        yield "report", [*tidemill, "report", sink]
        yield "verify", [*tidemill, "verify", sink]
        yield "clean --dry-run", [*tidemill, "clean", sink, "--dry-run"]
        yield "clean", [*tidemill, "clean", sink, "--keep=1h"]
        yield "status after clean", [*tidemill, "status", sink]


def write_input(folder: Path, hours: int) -> None:
    """A value every ten minutes, in a file for each day."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    for day in range(-(-hours // 24)):
        times = pd.date_range(FIRST + pd.Timedelta(days=day), periods=144, freq="10min")
        frame = pd.DataFrame({"id": np.tile(np.arange(IDS), 144), "time": times.repeat(IDS)})
        frame["x"] = rng.normal(size=len(frame))
        frame.to_parquet(folder / f"{times[0]:%Y-%m-%d}.parquet", index=False)


def copy_intervals(
    layout: SinkLayout,
    intervals: Sequence[Interval],
    files: Callable[[Interval], tuple[tuple[str, int, str], ...]],
) -> None:
    """Publish and record intervals with copies of an earlier one's files."""
    (known, *_) = read_intervals(
        layout, [find_interval(Calendar("1h"), FIRST.isoformat()).name]
    ).values()
    (run,) = (one for one in history(layout) if one.run_id == known.run_id)
    (part,) = known.parts
    schema = pq.read_schema(layout.home.local_path(part.path))
    figures, coverage = read_figures(layout, known), read_coverages(layout, [known])[known.name]
    there = frozenset(interval_names(layout))
    for number, interval in enumerate(intervals):
        if interval.name in there:
            continue
        key = layout.key(f"{number:064x}"[::-1])
        path = key.part(0)
        shutil.copyfile(layout.home.local_path(part.path), layout.home.local_path(path))
        run_id = f"copied-{number:08d}"
        record = replace(
            known, name=interval.name, start=interval.start, end=interval.end,
            window_start=interval.window_start, run_id=run_id, result_key=key.result_key,
            parts=(replace(part, path=path),), files=files(interval),
        )  # fmt: skip
        with acquire(layout.lease_of(interval.name), owner="benchmark", run_id=run_id):
            publish_copy(layout, record, schema)
            checksums = write_figures(layout, record.name, figures)
            checksums |= write_coverage(layout, record.name, coverage)
            write_interval(layout, replace(record, checksums=checksums))
        write_record(layout, copied_run(run, interval, run_id, number))


def publish_copy(layout: SinkLayout, record: IntervalRecord, schema: pa.Schema) -> None:
    """Commit the file of a copied interval."""
    (part,) = record.parts
    marker = Marker(0, part.path, part.rows, part.bytes, part.checksum, 0.0, lower=0, upper=IDS - 1)
    with acquire(layout.lease, owner="benchmark", run_id=record.run_id):
        publish(
            layout, layout.key(record.result_key), [marker], schema,
            run_id=record.run_id, digest=record.digest, interval=record.name,
        )  # fmt: skip


def copied_run(run: RunRecord, interval: Interval, run_id: str, number: int) -> RunRecord:
    """The record of a run that copied an interval."""
    started = (FIRST + pd.Timedelta(hours=number + CALCULATED + 1)).isoformat()
    return replace(
        run, run_id=run_id, started=started, finished=started, interval=interval.name,
        interval_label=interval.label,
    )  # fmt: skip


if __name__ == "__main__":
    main()
