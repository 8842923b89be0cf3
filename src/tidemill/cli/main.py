"""The command ``tidemill``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tidemill import __version__
from tidemill.cli.options import (
    BACKFILL_OPTIONS,
    COSTS_OPTIONS,
    INTERVAL_OPTIONS,
    JOB_OPTIONS,
    MODULE_OPTION,
    STORAGE_OPTION,
    with_options,
)
from tidemill.errors import ArgumentError, TidemillError

__all__ = ["main"]

_STARTED = time.perf_counter()


def main() -> None:
    """Run the command; an expected error is one red line, without a traceback."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        told = "stopped; what was finished is kept, the same command goes on from there"
        click.secho(told, fg="yellow", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (TidemillError, OSError) as error:
        click.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tidemill")
def cli() -> None:
    """Time series in, feature matrix out."""


@cli.command()
@with_options(JOB_OPTIONS)
@click.option(
    "--wait-for-sink",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Seconds to wait for another run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and of the engine.")
def extract(as_json: bool, verbose: bool, **options: Any) -> None:
    """Calculate the feature matrix of the time series in INPUT into OUTPUT."""
    summary = run_extraction(options, verbose=verbose, quiet=as_json)
    click.echo(json.dumps(summary, indent=2) if as_json else _summary_text(summary))


@cli.command("extract-interval")
@with_options(INTERVAL_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and of the engine.")
def extract_interval(as_json: bool, verbose: bool, **options: Any) -> None:
    """Calculate the interval that closed last, and earlier ones whose data changed."""
    _quieten(verbose)
    given = _checked(options)
    from tidemill.flows.recurring import extract_interval as flow
    from tidemill.orchestration.steps import start_server
    from tidemill.reports.markdown import interval_page

    start_server()
    report = flow(**given)
    click.echo(json.dumps(report, indent=2) if as_json else interval_page(report))


@cli.command()
@with_options(BACKFILL_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show the log of Prefect and of the engine.")
def backfill(as_json: bool, verbose: bool, **options: Any) -> None:
    """Calculate the intervals between two times that are missing or whose data changed."""
    _quieten(verbose)
    given = _checked(options)
    from tidemill.flows.backfill import backfill as flow
    from tidemill.orchestration.steps import start_server
    from tidemill.reports.markdown import backfill_page

    start_server()
    report = flow(**given)
    click.echo(json.dumps(report, indent=2) if as_json else backfill_page(report))


@cli.command()
@with_options(JOB_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def plan(as_json: bool, cluster: str, **options: Any) -> None:
    """Print what extract would do with the same arguments; runs nothing."""
    from tidemill.cli.forecast import forecast, forecast_text

    figures = forecast(_request(options), cluster)
    click.echo(json.dumps(asdict(figures), indent=2) if as_json else forecast_text(figures))


@cli.command()
@with_options(COSTS_OPTIONS)
@click.option("--sample", type=int, help="Ids to calculate; default: those of about 0.3 s.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def costs(sample: int | None, as_json: bool, **options: Any) -> None:
    """Measure what every calculator costs on some of the time series in INPUT."""
    from tidemill.frames.feature_costs import file_costs
    from tidemill.reports.text import costs_text

    # Nothing is written, so there is nothing at the output.
    rows, measured = file_costs(_request({**options, "sink": "nowhere"}), sample)
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
    from tidemill.reports.text import history_text
    from tidemill.storage.layout import SinkLayout
    from tidemill.storage.record import history

    records = history(SinkLayout.of(output, _pairs(storage_options)), runs)
    if not records:
        raise ArgumentError(f"{output!r} has no run record; nothing was extracted into it yet")
    if as_json:
        click.echo(json.dumps([record.to_json() for record in records], indent=2))
    else:
        click.echo(history_text(output, records))


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
    from tidemill.reports.text import seconds_text

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

    folder = Path(output).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    options = {**demo_options(folder), "cluster": cluster}
    click.echo(f"One series per day: {options['source']}")
    summary = run_extraction(options, verbose=verbose)
    click.echo(_summary_text(summary))
    for picture in draw_pictures(summary, folder):
        click.echo(f"Picture         {picture}")


@cli.command()
@click.argument("folder", metavar="DIR")
def init(folder: str) -> None:
    """Write a project of your own into DIR: prefect.yaml, cluster files and settings."""
    from tidemill.orchestration.deploy.project_file import write_project

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
    _quieten(verbose=False)
    from tidemill.orchestration.deploy.apply import deploy as apply

    click.echo(apply(file, work_pool, dry_run=dry_run))


def run_file(command: str) -> None:
    """Run a flow's file as a script: the arguments are those of the command of its name."""
    sys.argv.insert(1, command)
    main()


def run_extraction(
    options: dict[str, Any], *, verbose: bool = False, quiet: bool = False
) -> dict[str, Any]:
    """Run ``extract`` with a progress bar; ``cluster="none"`` goes without Prefect."""
    from tidemill.model.progress import listening
    from tidemill.orchestration.cluster import parse_cluster
    from tidemill.planning.prepare import check_door

    cluster = options.get("cluster", "threads")
    _quieten(verbose)
    parse_cluster(cluster)
    check_door(_request(options))
    with _bar(quiet) as listener, listening(listener):
        if cluster == "none":
            from tidemill.execution.job import extract_here

            wait = options.get("wait_for_sink", 0.0)
            summary = extract_here(_request(options), wait_for_sink=wait).to_json()
        else:
            summary = _flow()(**_flow_parameters(options))
    return {**summary, "seconds_in_all": time.perf_counter() - _STARTED}


def _flow() -> Any:
    from tidemill.flows.extract import extract as flow
    from tidemill.orchestration.steps import start_server

    start_server()
    return flow


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a recurring flow; what is wrong is said before a server is started."""
    from tidemill.orchestration.cluster import parse_cluster
    from tidemill.recurring.examine import check_table_door

    given = _flow_parameters(options)
    parse_cluster(given["cluster"])
    check_table_door(given)
    return given


def _flow_parameters(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(given["source"], tuple):
        given["source"] = list(given["source"]) if given["source"][1:] else given["source"][0]
    given |= {name: _from_json(name, given[name]) for name in _JSON & given.keys()}
    given["storage_options"] = _pairs(options.get("storage_options") or ())
    given["modules"] = list(options.get("modules") or ())
    return given


def _request(options: dict[str, Any]) -> Any:
    from tidemill.planning.request import make_request

    dropped = {"cluster", "wait_for_sink"}
    chosen = {name: value for name, value in options.items() if name not in dropped}
    chosen["settings"] = _from_json("settings", chosen["settings"])
    chosen["storage_options"] = _pairs(options.get("storage_options") or ())
    chosen["modules"] = tuple(options.get("modules") or ())
    return make_request(chosen.pop("source"), chosen.pop("sink"), **chosen)


#: Options that may be objects in JSON.
_JSON = {"settings", "checks"}


def _from_json(name: str, text: Any) -> Any:
    if not (isinstance(text, str) and text.lstrip().startswith("{")):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"--{name} {text!r} is not valid JSON: {error}") from None


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, variable = text.partition("=")
        if not (equals and key and variable):
            raise click.BadParameter(f"--storage-option {text!r} is not of the form KEY=VARIABLE")
        pairs[key] = variable
    return pairs


def _quieten(verbose: bool) -> None:
    """Keep Prefect's console lines out of the progress bar, unless they are asked for."""
    if not verbose:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")


def _summary_text(summary: dict[str, Any]) -> str:
    from tidemill.reports.text import summary_text

    return summary_text(summary)


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[Any], None]]:
    from tidemill.reports.text import progress_bar

    with progress_bar(visible=not quiet) as listener:
        yield listener
