"""What a look at a Dask cluster finds: its scheduler, its workers, what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ClusterLook", "WorkerLook"]

#: What is shown for a version that is not known, because nobody answers or it is not installed.
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class WorkerLook:
    """One worker, as its scheduler knows it."""

    address: str
    name: str
    host: str
    status: str  # Dask's word: "running", "paused", "closing_gracefully"...
    has_nanny: bool  # only a nanny can start it again
    threads: int
    memory_limit: int  # bytes; 0: none
    memory_bytes: int  # in use
    silent_seconds: float  # since its last sign of life
    results: int  # that it holds
    tasks: Mapping[str, int]  # given to it and not finished: name -> count
    versions: Mapping[str, str]  # package -> version; empty if it did not answer


@dataclass(frozen=True, slots=True)
class ClusterLook:
    """A scheduler with its workers, at one moment."""

    address: str
    up_seconds: float  # since the scheduler started
    scheduler_versions: Mapping[str, str]
    here: Mapping[str, str]  # versions in the process that looks
    workers: Sequence[WorkerLook]
    waiting: Mapping[str, int]  # tasks that wait for others: name -> count
    failed: Mapping[str, int]  # tasks whose error somebody keeps: name -> count
    runs: Sequence[str]  # ids of the runs of tidemill that use the cluster

    @property
    def hosts(self) -> int:
        """On how many hosts the workers are."""
        return len({worker.host for worker in self.workers})

    def differing(self, versions: Mapping[str, str]) -> dict[str, str]:
        """Those of ``versions`` that are others than here.

        Examples
        --------
        >>> look = ClusterLook("tcp://10.0.0.1:8786", 1.0, {}, {"numpy": "2.3.0"}, [], {}, {}, [])
        >>> look.differing({"numpy": "2.2.0"}), look.differing({"numpy": "2.3.0"})
        ({'numpy': '2.2.0'}, {})
        """
        return {
            name: versions.get(name, UNKNOWN)
            for name, wanted in self.here.items()
            if versions.get(name, UNKNOWN) != wanted
        }

    def scheduler_differing(self) -> dict[str, str]:
        """What the scheduler itself must share; it needs neither tidemill nor numba."""
        needed = {"python", "dask", "distributed"}
        found = self.differing(self.scheduler_versions)
        return {name: version for name, version in found.items() if name in needed}

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, with what differs from here for each worker."""
        return {
            **asdict(self),
            "scheduler_differs": self.scheduler_differing(),
            "workers": [
                {**asdict(one), "differs": self.differing(one.versions)} for one in self.workers
            ],
        }
