"""Looking at a running Dask cluster and keeping it in order, without sending it any function."""

from __future__ import annotations

import re
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dask.utils import key_split
from distributed import Client
from distributed.versions import VersionMismatchWarning, get_versions

from tidemill.errors import ArgumentError, ClusterError, shorten
from tidemill.model.cluster_look import ClusterLook, WorkerLook
from tidemill.model.counts import counted
from tidemill.model.versions import PACKAGES
from tidemill.orchestration.certificates import check_certificates
from tidemill.orchestration.cluster import ClusterSpec, check_scheduler, parse_cluster, unreachable
from tidemill.orchestration.scheduler_calls import ask, quietly, scheduler_lost

__all__ = ["Retired", "cluster_logs", "connected", "look_at", "restart", "retire"]

#: Seconds for a scheduler to answer somebody who looks.
CONNECT_SECONDS = 8.0
CLOSE_SECONDS = 5.0
#: Seconds for new worker processes to come back.
RESTART_SECONDS = 60.0
#: Lines of a log by default.
LINES = 100
_SHOWN = (*PACKAGES, "dask", "distributed")
#: The key of the task that stands for a run of tidemill, as long as it uses the cluster.
_RUN_KEY = re.compile(r"tidemill-preflight-(?P<run>.+)-lives")


@contextmanager
def connected(cluster: str) -> Iterator[Client]:
    """A client of a running scheduler; it is the default of nobody.

    Parameters
    ----------
    cluster : an address, or a cluster file that names one

    Raises
    ------
    ArgumentError
        If it names no scheduler, or certificates cannot be used.
    ClusterError
        If the scheduler does not answer within seconds, or is lost later.
    """
    spec = parse_cluster(cluster)
    if spec.address is None:
        raise ArgumentError(
            f"cluster={spec.text!r} names no scheduler that runs; give tcp://host:port, "
            "tls://host:port, or a cluster file with an address"
        )
    check_certificates(spec.text, spec.keywords)
    check_scheduler(spec, CONNECT_SECONDS)
    client = _client(spec)
    try:
        yield client
    except OSError as error:
        raise scheduler_lost(spec.address, "does not answer") from error
    finally:
        quietly(CLOSE_SECONDS, client.close)


def _client(spec: ClusterSpec) -> Client:
    given = dict(spec.keywords.get("client_kwargs", {}))
    given |= {"timeout": CONNECT_SECONDS, "set_as_default": False}
    try:
        with warnings.catch_warnings():  # which versions differ is what is looked at
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(spec.address, **given)
    except (OSError, ValueError, TypeError) as error:
        raise unreachable(spec, error) from error


def look_at(client: Client) -> ClusterLook:
    """Who is there and what runs.

    Raises
    ------
    ClusterError, OSError
        If the scheduler does not answer.
    """
    found = ask(client, lambda scheduler: scheduler.identity(n_workers=-1))
    tasks: Mapping[str, Sequence[Any]] = ask(client, lambda scheduler: scheduler.processing())
    held: Mapping[str, Sequence[Any]] = ask(client, lambda scheduler: scheduler.has_what())
    states: Mapping[str, Mapping[str, int]] = ask(
        client, lambda scheduler: scheduler.get_task_prefix_states()
    )
    versions = _versions_of_workers(client)
    now = time.time()
    return ClusterLook(
        address=str(found["address"]),
        up_seconds=max(0.0, now - float(found["started"])),
        scheduler_versions=_scheduler_versions(client),
        here=_shown(get_versions(_SHOWN)),
        workers=[
            _worker(
                address,
                worker,
                tasks.get(address, ()),
                len(held.get(address, ())),
                versions.get(address, {}),
            )
            for address, worker in sorted(found["workers"].items())
        ],
        waiting={name: one["waiting"] for name, one in sorted(states.items()) if one["waiting"]},
        failed={name: one["erred"] for name, one in sorted(states.items()) if one["erred"]},
        runs=_runs(key for keys in held.values() for key in keys),
    )


def _worker(
    address: str, known: Mapping[str, Any], tasks: Iterable[Any], results: int, versions: Any
) -> WorkerLook:
    return WorkerLook(
        address=address,
        name=str(known["name"]),
        host=str(known["host"]),
        status=str(known["status"]),
        has_nanny=bool(known.get("nanny")),
        threads=int(known["nthreads"]),
        memory_limit=int(known.get("memory_limit") or 0),
        memory_bytes=int(known["metrics"].get("memory", 0)),
        silent_seconds=max(0.0, time.time() - float(known["last_seen"])),
        results=results,
        tasks=_counts(tasks),
        versions=versions,
    )


def _counts(keys: Iterable[Any]) -> dict[str, int]:
    return dict(sorted(Counter(map(key_split, keys)).items()))


def _runs(keys: Iterable[Any]) -> list[str]:
    found = (_RUN_KEY.fullmatch(str(key)) for key in keys)
    return sorted(one["run"] for one in found if one)


def _versions_of_workers(client: Client) -> dict[str, dict[str, str]]:
    """Empty for a worker that does not answer."""
    message = {"op": "versions", "packages": list(_SHOWN)}
    try:
        answers: Mapping[str, Any] = ask(
            client, lambda scheduler: scheduler.broadcast(msg=message, on_error="ignore")
        )
    except OSError:  # one that is stopped keeps all others' answers back
        return {}
    return {address: _shown(found) for address, found in answers.items() if found}


def _scheduler_versions(client: Client) -> dict[str, str]:
    return _shown(ask(client, lambda scheduler: scheduler.versions(packages=list(_SHOWN))))


def _shown(found: Mapping[str, Any]) -> dict[str, str]:
    packages = dict(found["packages"])
    python = ".".join(str(packages.pop("python", "")).split(".")[:2])
    return {"python": python, **{name: str(packages.get(name) or "none") for name in _SHOWN}}


def restart(client: Client, workers: Sequence[str] = ()) -> tuple[str, ...]:
    """Have nannies kill their workers and start others; the addresses of those that went.

    What the workers held is calculated again by whoever needs it. A run of tidemill goes on: its
    parts lie in the storage.

    Parameters
    ----------
    client : of the scheduler
    workers : addresses or names; default: all

    Raises
    ------
    ArgumentError
        If one is not there.
    ClusterError
        If one has no nanny (then none is restarted), or does not come back in time.
    """
    known = _known(client)
    chosen = _choose(known, workers)
    if alone := [one for one in chosen if not known[one].get("nanny")]:
        raise ClusterError(
            f"worker {shorten(alone)} has no nanny, which would start it again; no worker was "
            "restarted: name those that have one, or start it anew by hand, without --no-nanny"
        )
    became: Mapping[str, str] = ask(
        client,
        lambda scheduler: scheduler.restart_workers(
            workers=chosen,
            timeout=RESTART_SECONDS,
            wait_for_workers=True,
            on_error="return",
            stimulus_id="tidemill-cluster-restart",
        ),
        RESTART_SECONDS + 2 * CONNECT_SECONDS,
    )
    if lost := sorted(one for one, how in became.items() if how != "OK"):
        raise ClusterError(
            f"worker {shorten(lost)} did not come back within {RESTART_SECONDS:.0f} s; look at "
            "its host and the log of its nanny"
        )
    return tuple(chosen)


def _known(client: Client) -> dict[str, Any]:
    return dict(ask(client, lambda scheduler: scheduler.identity(n_workers=-1))["workers"])


def _choose(known: Mapping[str, Mapping[str, Any]], wanted: Sequence[str]) -> list[str]:
    """The addresses that are meant by addresses or names."""
    if not known:
        raise ClusterError("the scheduler has no worker")
    by_name = {str(worker["name"]): address for address, worker in known.items()}
    missing = [one for one in wanted if one not in known and one not in by_name]
    if missing:
        raise ArgumentError(
            f"worker {shorten(map(repr, missing))} is not there; there are {shorten(sorted(known))}"
        )
    return sorted({one if one in known else by_name[one] for one in wanted or known})


def cluster_logs(
    client: Client, workers: Sequence[str] = (), lines: int = LINES
) -> dict[str, list[tuple[str, str]]]:
    """The newest lines that Dask's scheduler and workers logged, oldest first: (level, text).

    Parameters
    ----------
    client : of the scheduler
    workers : addresses or names; default: the scheduler and all workers
    lines : of each, at most

    Raises
    ------
    ArgumentError
        If a worker is not there.
    """
    found: dict[str, Any] = {}
    if not workers:
        found["scheduler"] = ask(client, lambda scheduler: scheduler.logs(n=lines))
    known = _known(client)
    if known or workers:
        chosen = _choose(known, workers)
        message = {"op": "get_logs", "n": lines}
        found |= ask(
            client,
            lambda scheduler: scheduler.broadcast(msg=message, workers=chosen, on_error="ignore"),
        )
    return {
        who: [(str(level), str(text)) for level, text in reversed(told or ())]
        for who, told in found.items()
    }


@dataclass(frozen=True, slots=True)
class Retired:
    """Workers that were taken off a cluster, and what became of what they held."""

    workers: Sequence[str]
    moved: int  # results that lay on none of the workers that stay
    again: int  # tasks in hand that other workers start again
    left: int  # workers that stay


def retire(client: Client, workers: Sequence[str], seconds: float) -> Retired:
    """Move what workers hold to others, then close them with their nannies.

    Parameters
    ----------
    client : of the scheduler
    workers : addresses or names
    seconds : for the data to be moved

    Raises
    ------
    ArgumentError
        If one is not there.
    ClusterError
        If results lie on it alone and no other worker can take them; then it stays.
    """
    known = _known(client)
    chosen = _choose(known, workers)
    where: Mapping[Any, Sequence[str]] = ask(client, lambda scheduler: scheduler.who_has())
    tasks: Mapping[str, Sequence[Any]] = ask(client, lambda scheduler: scheduler.processing())
    alone = [key for key, places in where.items() if places and set(places) <= set(chosen)]
    gone: Mapping[str, Any] = ask(
        client,
        lambda scheduler: scheduler.retire_workers(
            workers=chosen, close_workers=True, remove=True, stimulus_id="tidemill-cluster-retire"
        ),
        seconds,
    )
    if staying := sorted(set(chosen) - set(gone)):
        raise ClusterError(
            f"worker {shorten(staying)} stays: no other worker can take the "
            f"{counted(len(alone), 'result')} that lie there alone; start another worker, or "
            "release them"
        )
    in_hand = sum(len(tasks.get(one, ())) for one in chosen)
    return Retired(tuple(chosen), len(alone), in_hand, len(known) - len(chosen))
