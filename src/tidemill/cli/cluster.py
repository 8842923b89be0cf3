"""The command ``tidemill cluster``: look at a Dask cluster and keep it in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tidemill.cli.help import GroupedCommands
from tidemill.errors import ArgumentError, ClusterError, shorten
from tidemill.model.counts import counted

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster"]

_WORKER = click.option(
    "--worker",
    "workers",
    metavar="ADDR",
    multiple=True,
    help="Only this worker: its address or name; may be given again.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group(cls=GroupedCommands)
def cluster() -> None:
    """Look at a running Dask cluster, restart or retire its workers, read their logs.

    ADDRESS is tcp://host:port, tls://host:port, or a cluster file with an address and certificates.
    """


@cluster.command()
@click.argument("address")
@_JSON
def info(address: str, as_json: bool) -> None:
    """Show the workers of the scheduler at ADDRESS, their memory and versions, and what runs."""
    from tidemill.orchestration.cluster_admin import look_at
    from tidemill.reports.cluster_text import cluster_text

    with _scheduler(address) as client:
        look = look_at(client)
    click.echo(json.dumps(look.to_json(), indent=2) if as_json else cluster_text(look))


@cluster.command()
@click.argument("address")
@_WORKER
@_JSON
def restart(address: str, workers: tuple[str, ...], as_json: bool) -> None:
    """Restart the workers of the scheduler at ADDRESS by their nannies.

    What they held is calculated again. Runs of tidemill go on: finished parts lie in the storage.
    """
    from tidemill.orchestration.cluster_admin import restart as restart_workers

    with _scheduler(address) as client:
        gone = restart_workers(client, workers)
    told = f"restarted {counted(len(gone), 'worker')}: {shorten(gone)}"
    click.echo(json.dumps({"restarted": list(gone)}, indent=2) if as_json else told)


@cluster.command()
@click.argument("address")
@_WORKER
@click.option(
    "--lines", type=click.IntRange(1), default=100, show_default=True, help="Lines of each."
)
@_JSON
def logs(address: str, workers: tuple[str, ...], lines: int, as_json: bool) -> None:
    """Show what Dask's scheduler at ADDRESS and its workers have logged."""
    from tidemill.orchestration.cluster_admin import cluster_logs
    from tidemill.reports.cluster_text import logs_text

    with _scheduler(address) as client:
        found = cluster_logs(client, workers, lines)
    click.echo(json.dumps(found, indent=2) if as_json else logs_text(found))


@cluster.command()
@click.argument("address")
@click.argument("workers", metavar="WORKER...", nargs=-1, required=True)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    help="For their results to be moved to others.",
)
@_JSON
def retire(address: str, workers: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Move what workers hold to others, then close them; WORKER is an address or name."""
    from tidemill.orchestration.cluster_admin import retire as retire_workers

    with _scheduler(address) as client:
        done = retire_workers(client, workers, seconds)
    told = (
        f"retired {counted(len(done.workers), 'worker')}: {shorten(done.workers)}; moved "
        f"{counted(done.moved, 'result')}, {counted(done.again, 'task')} in hand to be started "
        f"again; {counted(done.left, 'worker')} left"
    )
    click.echo(json.dumps(asdict(done), indent=2) if as_json else told)


@contextmanager
def _scheduler(address: str) -> Iterator[Client]:
    """A client of the scheduler; errors name the command's own argument."""
    from tidemill.cli.stopping import stoppable
    from tidemill.orchestration.cluster_admin import connected

    try:
        with stoppable(), connected(address) as client:
            yield client
    except (ArgumentError, ClusterError) as error:
        raise type(error)(str(error).replace("cluster=", "ADDRESS=", 1)) from error
