"""What a worker must be able to do, tested on the worker before any work is submitted."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.errors import TidemillError
from tidemill.execution.resources import check_memory
from tidemill.model.versions import versions
from tidemill.storage.processes import Process
from tidemill.storage.run_address import Run
from tidemill.storage.transient import is_transient

__all__ = ["WorkerCheck", "reach_api"]

#: For an answer of Prefect's server, which is late on a busy machine.
API_SECONDS = 25.0


def _worker_threads() -> int:
    """Threads of the Dask worker that this runs on; 1 elsewhere."""
    worker = sys.modules.get("distributed.worker")
    try:
        return worker.get_worker().state.nthreads if worker is not None else 1
    except ValueError:  # called outside of a task
        return 1


@dataclass(frozen=True, slots=True)
class WorkerCheck:
    """The check of one worker; called there, it reports problems with their remedies."""

    run: Run
    expected: Mapping[str, str]  # versions in the process that submits
    api_url: str | None  # of Prefect; None: not needed on workers
    submitter: Process

    def __call__(self) -> dict[str, Any]:
        """Try everything; ``{"problems": [...], "host": ..., "pid": ..., "cpu": [...]}``."""
        from tidemill.storage.record import cpu_features

        problems = [*self._version_problems()]
        may_pass = not problems
        trials: tuple[Callable[[], object], ...] = (
            self._import_prefect, self._reach_api, self._read_source, self._write_sink,
            self._write_work, self._memory, self._load_kernels,
        )  # fmt: skip
        seconds: dict[str, float] = {}
        results: dict[str, object] = {}
        for trial in trials if not problems else ():
            began = time.perf_counter()
            try:
                results[trial.__name__] = trial()
            except Exception as error:  # noqa: BLE001  every failure is a line of the report
                name = "" if isinstance(error, TidemillError) else f"{type(error).__name__}: "
                found = f"{name}{error}"
                may_pass &= is_transient(error.__cause__ or error)
                if not any(problem.endswith(found) for problem in problems):
                    problems.append(f"{trial.__name__.strip('_').replace('_', ' ')}: {found}")
            seconds[trial.__name__] = time.perf_counter() - began
        return {
            "problems": problems,
            "may_pass": may_pass,
            "host": socket.gethostname(),
            "threads": _worker_threads(),
            "pid": os.getpid(),
            "cpu_features": cpu_features(),
            "kernels_compiled": results.get("_load_kernels", 0),
            "kernel_seconds": seconds.get("_load_kernels", 0.0),
        }

    def _version_problems(self) -> Iterator[str]:
        here = versions()
        for name, wanted in self.expected.items():
            if here[name] != wanted:
                yield (
                    f"{name} is {here[name]}, but {wanted} where the flow runs; "
                    f"install {name}=={wanted} there"
                )

    def _import_prefect(self) -> None:
        """The first task run would import it, in the thread that tells Dask of this worker."""
        from tidemill.orchestration.lost_output import outlast_output
        from tidemill.orchestration.services import say_once

        importlib.import_module("prefect.task_engine")
        say_once()
        outlast_output()

    def _reach_api(self) -> None:
        if self.api_url is not None and self.submitter != Process.current():
            reach_api(self.api_url)

    def _read_source(self) -> None:
        from tidemill.execution.plans import load_plan
        from tidemill.storage.stores import Store

        source = load_plan(self.run).source
        try:
            Store.open(source.url, source.storage_options).info(source.files[0].path)
        except FileNotFoundError as error:
            raise TidemillError(
                f"{source.url}/{source.files[0].path} does not exist there; "
                "give a path or URL that every worker reaches"
            ) from error

    def _write_sink(self) -> None:
        key = self.run.key
        name = f"preflight-{uuid.uuid4().hex}"
        key.state.write(name, b"tidemill")
        try:
            if key.state.read(name) != b"tidemill":
                raise TidemillError(f"{key.state.url} returned other bytes than were written")
        finally:
            key.state.delete(name)

    def _write_work(self) -> None:
        if "://" in self.run.work_dir:
            return
        folder = Path(self.run.work_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise TidemillError(f"work_dir {folder} is not writable; choose another")
        shutil.disk_usage(folder)

    def _memory(self) -> None:
        from tidemill.execution.plans import load_plan

        check_memory(load_plan(self.run), _worker_threads())

    def _load_kernels(self) -> int:
        from tidemill.execution.kernels import load_kernels

        return load_kernels(self.run)


def reach_api(url: str) -> None:
    """Refuse an API of Prefect that does not answer this process.

    Raises
    ------
    TidemillError
        With the remedy.
    """
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=API_SECONDS):  # noqa: S310
            pass
    except OSError as error:
        raise TidemillError(
            f"the Prefect API at {url} cannot be reached ({error}); set PREFECT_API_URL to an "
            "address that the workers reach"
        ) from error
