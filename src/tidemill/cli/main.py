"""The command ``tidemill``."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tidemill import __version__
from tidemill.cli.options import (
    MODULE_OPTION,
    STORAGE_OPTION,
    given_of,
    pairs,
    takes_options,
)
from tidemill.errors import ArgumentError, TidemillError, printable
from tidemill.planning.doors import BACKFILL, COSTS, EXTRACT, EXTRACT_INTERVAL

__all__ = ["main"]


def main() -> None:
    """Run the command; an expected error is one red line, without a traceback.

    With ``--debug``, or log level DEBUG, the traceback stands above it.
    """
    engine = logging.getLogger("tidemill")
    before = engine.level
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort as error:
        from tidemill.cli.stopping import exit_status

        told = "stopped; what was finished is kept, the same command goes on from there"
        click.secho(told, fg="yellow", err=True)
        sys.exit(exit_status(error.__cause__))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (TidemillError, OSError) as error:
        if engine.isEnabledFor(logging.DEBUG):
            traceback.print_exception(error)
        told = str(error) if isinstance(error, TidemillError) else printable(error)
        click.secho(f"{type(error).__name__}: {told}", fg="red", err=True)
        sys.exit(1)
    finally:
        engine.setLevel(before)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tidemill")
def cli() -> None:
    """Time series in, feature matrix out."""


@cli.command()
@takes_options(EXTRACT)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and of the engine.")
def extract(as_json: bool, verbose: bool, **options: Any) -> None:
    """Calculate the feature matrix of the time series in INPUT into OUTPUT."""
    from tidemill.cli.running import run_extraction
    from tidemill.reports.text import summary_text

    summary = run_extraction(given_of(EXTRACT, options), verbose=verbose, quiet=as_json)
    click.echo(json.dumps(summary, indent=2) if as_json else summary_text(summary))


@cli.command("extract-interval")
@takes_options(EXTRACT_INTERVAL)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and of the engine.")
def extract_interval(as_json: bool, verbose: bool, **options: Any) -> None:
    """Calculate the interval that closed last, and earlier ones whose data changed."""
    from tidemill.cli.running import run_on_table
    from tidemill.reports.markdown import interval_page

    report = run_on_table(EXTRACT_INTERVAL, given_of(EXTRACT_INTERVAL, options), verbose=verbose)
    click.echo(json.dumps(report, indent=2) if as_json else interval_page(report))


@cli.command()
@takes_options(BACKFILL)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and of the engine.")
def backfill(as_json: bool, verbose: bool, **options: Any) -> None:
    """Calculate the intervals between two times that are missing or whose data changed."""
    from tidemill.cli.running import run_on_table
    from tidemill.reports.markdown import backfill_page

    report = run_on_table(BACKFILL, given_of(BACKFILL, options), verbose=verbose)
    click.echo(json.dumps(report, indent=2) if as_json else backfill_page(report))


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
@click.argument("output")
@click.option("--runs", default=10, show_default=True, help="Runs of the history to show.")
@STORAGE_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the run records as JSON.")
def inspect(output: str, runs: int, storage_options: tuple[str, ...], as_json: bool) -> None:
    """Show the last run record of OUTPUT and its history."""
    from tidemill.reports.text import faults_text, history_text
    from tidemill.storage.layout import SinkLayout
    from tidemill.storage.record import history
    from tidemill.storage.table_faults import unshown_intervals

    layout = SinkLayout.of(output, pairs(storage_options))
    records = history(layout, runs)
    if not records:
        raise ArgumentError(f"{output!r} has no run record; nothing was extracted into it yet")
    if as_json:
        click.echo(json.dumps([record.to_json() for record in records], indent=2))
    else:
        click.echo(history_text(output, records))
        for line in faults_text(unshown_intervals(layout)):
            click.echo(line)


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
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--markdown", is_flag=True, help="Print the page of the documentation.")
def features(as_json: bool, markdown: bool) -> None:
    """List the calculators: parameters, presets and what they calculate."""
    from tidemill.reports.catalogue import catalogue, catalogue_page, catalogue_text

    if markdown:
        click.echo(catalogue_page(), nl=False)
    else:
        click.echo(json.dumps(catalogue(), indent=2) if as_json else catalogue_text())


@cli.command()
@click.option("--settings", help="A preset or a settings file; default: all presets.")
@MODULE_OPTION
def warmup(settings: str | None, modules: tuple[str, ...]) -> None:
    """Compile the kernels that settings need, as when an image is made, and say where they lie."""
    from tidemill.calculators.custom import import_modules
    from tidemill.calculators.warming import warm
    from tidemill.cli.stopping import stoppable
    from tidemill.reports.text import seconds_text

    with stoppable():
        import_modules(modules)
        done = warm(settings)
    click.echo(f"{'Compiled':<15} {done.compiled} kernels in {seconds_text(done.seconds)}")
    click.echo(f"{'Folder':<15} {done.folder}")


@cli.command()
@click.option(
    "--output", default="demo", show_default=True, help="Folder for results and pictures."
)
@click.option("--cluster", default="threads", show_default=True)
@click.option("--verbose", "-v", is_flag=True)
def demo(output: str, cluster: str, verbose: bool) -> None:
    """Run the main job on bundled real data: a year of sea surface temperatures."""
    from tidemill.cli.demo import demo_options, draw_pictures
    from tidemill.cli.running import run_extraction
    from tidemill.reports.text import summary_text

    folder = Path(output).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    given = EXTRACT.complete({**demo_options(folder), "cluster": cluster})
    click.echo(printable(f"One series per day: {given['source']}"))
    summary = run_extraction(given, verbose=verbose)
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
    from tidemill.cli.running import quieten

    quieten(verbose=False)
    from tidemill.orchestration.deploy.apply import deploy as apply

    click.echo(apply(file, work_pool, dry_run=dry_run))


def _show_tracebacks(_context: click.Context, _option: click.Parameter, chosen: bool) -> None:
    if chosen:
        logging.getLogger("tidemill").setLevel(logging.DEBUG)


for _command in cli.commands.values():
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
