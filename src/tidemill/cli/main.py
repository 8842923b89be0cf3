"""The command ``tidemill``."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tidemill import __version__
from tidemill.cli.cluster import cluster
from tidemill.cli.help import GroupedCommands
from tidemill.cli.logs import is_json, show_logs, shown_logs
from tidemill.cli.options import (
    KEEP_OPTION,
    MODULE_OPTION,
    STORAGE_OPTION,
    as_typed,
    given_of,
    pairs,
    takes_options,
)
from tidemill.errors import ArgumentError, TidemillError, printable
from tidemill.model.counts import counted
from tidemill.planning.doors import BACKFILL, COSTS, EXTRACT, EXTRACT_INTERVAL, SELECT

__all__ = ["main"]


def main() -> None:
    """Run the command; an expected error is one red line, without a traceback.

    With ``--debug``, or log level DEBUG, the traceback stands above it.
    """
    with shown_logs():
        _call()


def _call() -> None:
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort as error:
        from tidemill.cli.stopping import exit_status

        told = "stopped; what was finished is kept, the same command goes on from there"
        _say(told, "yellow", logging.WARNING)
        sys.exit(exit_status(error.__cause__))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (TidemillError, OSError) as error:
        if logging.getLogger("tidemill").isEnabledFor(logging.DEBUG):
            traceback.print_exception(error)
        told = as_typed(str(error)) if isinstance(error, TidemillError) else printable(error)
        _say(f"{type(error).__name__}: {told}", "red", logging.ERROR)
        sys.exit(1)


def _say(told: str, colour: str, level: int) -> None:
    """The last line on standard error."""
    if is_json():
        logging.getLogger("tidemill.cli").log(level, "%s", told)
    else:
        click.secho(told, fg=colour, err=True)


@click.group(
    cls=GroupedCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="tidemill")
def cli() -> None:
    """Time series in, feature matrix out."""


def _shows_logs(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that show the log, and carry them out."""

    @click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and the engine.")
    @click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: the log as lines of JSON on standard error, and no progress bar.",
    )
    @wraps(command)
    def shows_logs(*, verbose: bool, log_format: str, **options: Any) -> None:
        show_logs(verbose=verbose, log_format=log_format)
        command(**options)

    return shows_logs


@cli.command()
@takes_options(EXTRACT)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@_shows_logs
def extract(as_json: bool, **options: Any) -> None:
    """Calculate the feature matrix of the time series in INPUT into OUTPUT."""
    from tidemill.cli.running import run_extraction
    from tidemill.reports.text import summary_text

    summary = run_extraction(given_of(EXTRACT, options), quiet=as_json)
    click.echo(json.dumps(summary, indent=2) if as_json else summary_text(summary))


@cli.command("extract-interval")
@takes_options(EXTRACT_INTERVAL)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@_shows_logs
def extract_interval(as_json: bool, **options: Any) -> None:
    """Calculate the interval that closed last, and earlier ones whose data changed."""
    from tidemill.cli.running import run_on_table
    from tidemill.reports.table_runs import interval_text

    given = given_of(EXTRACT_INTERVAL, options)
    report = run_on_table(EXTRACT_INTERVAL, given, quiet=as_json)
    click.echo(json.dumps(report, indent=2) if as_json else interval_text(report))


@cli.command()
@takes_options(BACKFILL)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@_shows_logs
def backfill(as_json: bool, **options: Any) -> None:
    """Calculate the intervals between two times that are missing or whose data changed."""
    from tidemill.cli.running import run_on_table
    from tidemill.reports.table_runs import backfill_text

    report = run_on_table(BACKFILL, given_of(BACKFILL, options), quiet=as_json)
    click.echo(json.dumps(report, indent=2) if as_json else backfill_text(report))


@cli.command()
@takes_options(EXTRACT)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def plan(as_json: bool, **options: Any) -> None:
    """Print what extract would do with the same arguments; runs nothing."""
    from tidemill.cli.forecast import forecast, forecast_text
    from tidemill.planning.request import make_request

    given = given_of(EXTRACT, options)
    figures = forecast(make_request(**given), given["cluster"])
    click.echo(json.dumps(asdict(figures), indent=2) if as_json else forecast_text(figures))


@cli.command()
@takes_options(COSTS)
@click.option("--sample", type=int, help="Ids to calculate; default: those of about 0.3 s.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def costs(sample: int | None, as_json: bool, **options: Any) -> None:
    """Measure what every calculator costs on some of the time series in INPUT."""
    from tidemill.cli.stopping import stoppable
    from tidemill.frames.feature_costs import file_costs
    from tidemill.planning.request import make_request
    from tidemill.reports.text import costs_text

    # Nothing is written, so the sink does not matter.
    with stoppable():
        request = make_request(**given_of(COSTS, options), sink="nowhere")
        rows, measured = file_costs(request, sample)
    click.echo(
        json.dumps([asdict(row) for row in rows], indent=2)
        if as_json
        else costs_text(rows, measured)
    )


@cli.command()
@takes_options(SELECT)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@_shows_logs
def select(as_json: bool, **options: Any) -> None:
    """Choose the features in TABLE that matter for a target, and write settings of them."""
    from tidemill.cli.select import run_selection
    from tidemill.reports.selection import selection_text

    summary = run_selection(given_of(SELECT, options))
    click.echo(json.dumps(summary, indent=2) if as_json else selection_text(summary))


@cli.command()
@click.argument("output")
@click.option("--runs", default=10, show_default=True, help="Runs of the history to show.")
@click.option(
    "--intervals", type=click.IntRange(1), metavar="N", help="Show only the newest N intervals."
)
@STORAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the run records as JSON.")
def inspect(
    output: str,
    runs: int,
    intervals: int | None,
    storage_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show the last run record of OUTPUT and its history, of runs and of intervals.

    With --intervals: what is published of the newest N intervals, when, by which run, warnings.
    """
    from tidemill.recurring.interval_history import interval_history
    from tidemill.reports.status_text import intervals_text
    from tidemill.reports.text import faults_text, history_text
    from tidemill.storage.layout import SinkLayout
    from tidemill.storage.record import history

    layout = SinkLayout.of(output, pairs(storage_options))
    records = history(layout, runs) if intervals is None else []
    found = interval_history(layout, intervals or runs)
    if not records and not found.intervals and not found.faults:
        raise ArgumentError(f"{output!r} has no run record; nothing was extracted into it yet")
    if as_json:
        shown = [one.to_json() for one in (records if intervals is None else found.intervals)]
        click.echo(json.dumps(shown, indent=2))
        return
    blocks = [history_text(output, records)] if records else []
    blocks += [intervals_text(found.intervals)] if found.intervals else []
    click.echo("\n\n".join(blocks))
    for line in faults_text(found.faults):
        click.echo(line)


@cli.command()
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True)
@click.option("--max-age", metavar="TIME", help='Status 1 if older, such as "26h".')
@click.option("--verbose", "-v", is_flag=True, help="Everything about each table.")
@click.option("--metrics", metavar="FILE", help="Write gauges for Prometheus, in one step.")
@STORAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
def status(
    tables: tuple[str, ...],
    max_age: str | None,
    verbose: bool,
    metrics: str | None,
    storage_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show how fresh tables are, their holes, failed and next runs; a line each.

    Of a single table everything is shown. Status 1 if one of them has no good interval, or with
    --max-age if the last one ended longer ago. Good is what readers get as it was published.
    """
    from tidemill.cli.status import status_report

    report = status_report(tables, pairs(storage_options), max_age)
    if metrics is not None:
        report.write_metrics(metrics)
    click.echo(json.dumps(report.to_json(), indent=2) if as_json else report.text(verbose=verbose))
    if report.faults:
        for line in report.faults:
            click.secho(line, fg="red", err=True)
        sys.exit(1)


@cli.command()
@click.argument("table")
@click.option("--run", "run_id", metavar="ID", help="Of which run; default: the newest.")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@STORAGE_OPTION
def report(table: str, run_id: str | None, opens: bool, storage_options: tuple[str, ...]) -> None:
    """Make the HTML report of a run of TABLE, or of a file, again.

    It lies beside the table, and shows what the records say now.
    """
    from tidemill.cli.report import report_again

    click.echo(printable(report_again(table, run_id, pairs(storage_options), opens=opens)))


@cli.command()
@click.argument("table")
@click.option("--deep", is_flag=True, help="Read every file: compare checksums and rows.")
@STORAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify(table: str, deep: bool, storage_options: tuple[str, ...], as_json: bool) -> None:
    """Compare TABLE, or a file, with its records; status 1 if something is wrong.

    Without --deep: whether all files are there, their sizes and numbers of rows.
    """
    from tidemill.cli.stopping import stoppable
    from tidemill.reports.text import verified_text
    from tidemill.storage.layout import SinkLayout
    from tidemill.storage.verify_table import verify_table

    with stoppable():
        found = verify_table(SinkLayout.of(table, pairs(storage_options)), deep=deep)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else verified_text(found))
    if found.faults:
        sys.exit(1)


@cli.command()
@click.argument("table")
@KEEP_OPTION
@click.option("--dry-run", is_flag=True, help="Print what would be removed and change nothing.")
@click.option("--work-dir", metavar="PATH", help="Folder that its runs were given for spill.")
@STORAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as JSON.")
def clean(
    table: str,
    keep: str,
    dry_run: bool,
    work_dir: str | None,
    storage_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Remove what nobody needs any more of TABLE, or of a file, and keep its log short.

    Old spill, part files, run records, reports, leases and log. What the table shows stays, and
    what was written or read within --keep: older versions, and runs that can be continued. Runs
    may work meanwhile.
    """
    from tidemill.cli.stopping import stoppable
    from tidemill.execution.clean import clean as remove_old
    from tidemill.reports.keeping_text import cleaned_text
    from tidemill.storage.layout import SinkLayout

    with stoppable():
        layout = SinkLayout.of(table, pairs(storage_options))
        done = remove_old(layout, keep, dry_run=dry_run, work_dir=work_dir)
    click.echo(json.dumps(done.to_json(), indent=2) if as_json else cleaned_text(done))


@cli.command("drop-intervals")
@click.argument("table")
@click.option("--before", required=True, metavar="TIME", help="Drop those that end by then.")
@click.option("--dry-run", is_flag=True, help="Print what would be dropped and change nothing.")
@STORAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print what was dropped as JSON.")
def drop_intervals(
    table: str, before: str, dry_run: bool, storage_options: tuple[str, ...], as_json: bool
) -> None:
    """Drop the intervals of TABLE that end by a date or time in the table's time zone.

    Their rows go in one transaction. They are no holes from then on, and no run makes them again
    unless a backfill asks for them. Refused while a run works on the table.
    """
    from tidemill.cli.stopping import stoppable
    from tidemill.recurring.drop_intervals import drop_intervals as drop
    from tidemill.reports.keeping_text import dropped_text
    from tidemill.storage.layout import SinkLayout

    with stoppable():
        found = drop(SinkLayout.of(table, pairs(storage_options)), before, dry_run=dry_run)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else dropped_text(found))


@cli.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--markdown", is_flag=True, help="Print the page of the documentation.")
def features(name: str | None, as_json: bool, markdown: bool) -> None:
    """List the calculators; of one NAME show definition, parameters and presets."""
    from tidemill.reports.catalogue import (
        calculator_text,
        catalogue,
        catalogue_page,
        catalogue_text,
    )

    if name is not None:
        text = calculator_text(name)  # refuses names that there are not
        entry = next((one for one in catalogue() if one["name"] == name), None)
        click.echo(json.dumps(entry, indent=2) if as_json else text)
    elif markdown:
        click.echo(catalogue_page(), nl=False)
    else:
        click.echo(json.dumps(catalogue(), indent=2) if as_json else catalogue_text())


@cli.command()
@click.option("--settings", help="A preset or a settings file; default: all presets.")
@click.option(
    "--selection/--no-selection",
    default=None,
    help="Whether those of 'tidemill select', too; default: unless --settings is given.",
)
@MODULE_OPTION
def warmup(settings: str | None, selection: bool | None, modules: tuple[str, ...]) -> None:
    """Compile the kernels of calculators and of 'select', as in an image; say where they lie."""
    from tidemill.calculators.custom import import_modules
    from tidemill.calculators.warming import warm
    from tidemill.cli.stopping import stoppable
    from tidemill.reports.text import seconds_text
    from tidemill.selection.kernel_calls import KERNELS

    wanted = settings is None if selection is None else selection
    with stoppable():
        import_modules(modules)
        done = warm(settings, KERNELS if wanted else ())
    click.echo(
        f"{'Compiled':<15} {counted(done.compiled, 'kernel')} in {seconds_text(done.seconds)}"
    )
    click.echo(f"{'Folder':<15} {done.folder}")


@cli.command()
@click.option(
    "--output", default="demo", show_default=True, help="Folder for results and pictures."
)
@click.option("--cluster", default="threads", show_default=True)
@_shows_logs
def demo(output: str, cluster: str) -> None:
    """Run the main job on bundled real data: a year of sea surface temperatures."""
    from tidemill.cli.demo import demo_options, draw_pictures
    from tidemill.cli.running import run_extraction
    from tidemill.reports.text import summary_text

    folder = Path(output).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    given = EXTRACT.complete({**demo_options(folder), "cluster": cluster})
    click.echo(printable(f"One series per day: {given['source']}"))
    summary = run_extraction(given)
    click.echo(summary_text(summary))
    for picture in draw_pictures(summary, folder):
        click.echo(printable(f"Picture         {picture}"))


@cli.command()
@click.argument("folder", metavar="DIR")
def init(folder: str) -> None:
    """Write a project of your own into DIR: prefect.yaml, cluster files and settings."""
    from tidemill.orchestration.deploy.new_project import write_project

    click.echo(write_project(folder))


@cli.command()
@click.argument("file", required=False)
@click.option("--dry-run", is_flag=True, help="Print the differences and change nothing.")
@click.option("--work-pool", metavar="NAME", help="Work pool; default: that of the file.")
def deploy(file: str | None, dry_run: bool, work_pool: str | None) -> None:
    """Make a Prefect server's deployments those of FILE, and print what differed.

    FILE is a prefect.yaml; default: that of this folder, or else of the package. Deployments that
    were not made from it are left alone.
    """
    show_logs()
    from tidemill.orchestration.deploy.apply import deploy as apply

    click.echo(apply(file, work_pool, dry_run=dry_run))


@cli.command()
@click.argument("project", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=4200, show_default=True, help="Port of Prefect's page and API.")
@click.option(
    "--database",
    metavar="URL",
    help="postgresql+asyncpg://USER@HOST/NAME; default: Prefect's own, SQLite in PREFECT_HOME.",
)
@click.option("--dask", default=0, metavar="N", help="Start a Dask scheduler too, with N workers.")
@click.option("--log-dir", "logs", metavar="DIR", help="For the logs; default: in PREFECT_HOME.")
@click.option("--check", is_flag=True, help="Say what is missing and start nothing.")
def up(check: bool, **options: Any) -> None:
    """Run what PROJECT's deployments need, until Ctrl-C: server, worker, schedules.

    PROJECT is a folder with a prefect.yaml, or such a file; default: this folder.
    """
    from tidemill.cli.stack import check_stack, run_stack

    if check:
        sys.exit(check_stack(**options))
    run_stack(**options)


def _show_tracebacks(_context: click.Context, _option: click.Parameter, chosen: bool) -> None:
    if chosen:
        logging.getLogger("tidemill").setLevel(logging.DEBUG)


cli.add_command(cluster)

for _command in [*cli.commands.values(), *cluster.commands.values()]:
    _command.params.append(
        click.Option(
            ["--debug"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_tracebacks,
            help="Show the traceback of an error.",
        )
    )
